import { PageTitle } from "@/app/slots";
import { Patterns } from "@/components/patterns/list";

export default function PatternsPage() {
  return (
    <>
      <PageTitle>Patterns</PageTitle>
      <div className="mx-auto max-w-5xl">
        <Patterns framework="" />
      </div>
    </>
  );
}
