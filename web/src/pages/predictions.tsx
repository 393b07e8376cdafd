import { PageTitle } from "@/app/slots";
import { Predictions } from "@/components/predictions/list";
import { ScorecardCard } from "@/components/predictions/scorecard";

export default function PredictionsPage() {
  return (
    <>
      <PageTitle>Predictions</PageTitle>
      <div className="mx-auto flex max-w-6xl flex-col gap-5">
        <Predictions framework="" />
        <h2 className="text-lg font-semibold">Scorecard</h2>
        <ScorecardCard />
      </div>
    </>
  );
}
