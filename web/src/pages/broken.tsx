import { Compass, TriangleAlert } from "lucide-react";
import { Link, useRouteError } from "react-router";
import { messageOf } from "@/api/problem";
import { PageTitle } from "@/app/slots";
import { Empty } from "@/components/states";
import { Button, buttonClass } from "@/components/ui/button";

/** The page itself failed: say so, and offer a way on. */
export function Broken() {
  const error = useRouteError();
  return (
    <main>
      <title>Something broke · Convex</title>
      <Empty icon={TriangleAlert} title="This page broke">
        <p>{messageOf(error)}</p>
        <Button className="mt-4" onClick={() => location.reload()}>
          Load it again
        </Button>
      </Empty>
    </main>
  );
}

export function Unknown() {
  return (
    <>
      <PageTitle>Not found</PageTitle>
      <Empty icon={Compass} title="There is no such page">
        <Link to="/" className={`${buttonClass()} mt-3`}>
          To the overview
        </Link>
      </Empty>
    </>
  );
}
