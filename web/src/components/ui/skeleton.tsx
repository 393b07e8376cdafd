import clsx from "clsx";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden data-loading className={clsx("animate-breathe rounded-md bg-sunken", className)} />;
}

/** Rows of a list that is on its way; says so to a screen reader. */
export function SkeletonRows({ rows = 6, className = "h-12" }: { rows?: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-2 p-4">
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} className={className} />
      ))}
    </div>
  );
}
