DROP FUNCTION convex.own_framework;
DROP POLICY functions_select ON convex.frameworks;
DROP POLICY functions_insert ON convex.frameworks;
