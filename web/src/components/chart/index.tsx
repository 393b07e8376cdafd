import clsx from "clsx";
import { lazy, Suspense } from "react";
import { Skeleton } from "@/components/ui/skeleton";
import type { TimeChartProps } from "./time-chart";

/** The drawing code is large and most pages open without it. */
const Drawn = lazy(() => import("./time-chart"));

export function TimeChart(props: TimeChartProps) {
  const tall = props.tall === true ? "h-72" : "h-44";
  return (
    <div className={clsx("relative w-full", tall)}>
      <Suspense fallback={<Skeleton className="size-full" />}>
        <Drawn {...props} />
      </Suspense>
    </div>
  );
}
