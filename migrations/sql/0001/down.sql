-- Everything that 0001 made. The schema stays: it holds Alembic's table.
DO $$
DECLARE
    thing record;
BEGIN
    FOR thing IN SELECT tablename FROM pg_catalog.pg_tables
        WHERE schemaname = 'convex' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS convex.%I CASCADE', thing.tablename);
    END LOOP;
    FOR thing IN SELECT p.oid::regprocedure::text AS signature FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'convex'::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION IF EXISTS ' || thing.signature || ' CASCADE';
    END LOOP;
END $$;
