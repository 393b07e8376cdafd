/**
 * The shapes that the API speaks, by short names. `schema.d.ts` is generated (npm run generate);
 * what is narrower here is narrower in fact, but the document does not say so.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export type Tokens = Schemas["SessionShape"];
export type User = Schemas["UserShape"];
export type Workspace = Schemas["WorkspaceRef"];
export type Role = Tokens["role"];
export type Person = Schemas["Person"];
export type Problem = Schemas["Problem"];

export type Framework = Schemas["FrameworkShape"];
export type Metric = Schemas["MetricShape"];
export type Series = Schemas["SeriesShape"];
export type Points = Schemas["SeriesPoints"];
export type Point = Schemas["PointShape"];
export type Aggregate = Metric["default_aggregate"];

export type Rule = Schemas["RuleShape"];
export type RuleInput = Schemas["RuleNew"];
export type AlertType = Rule["type"];
export type Condition = Rule["condition"];
export type Severity = Rule["severity"];
export type NoData = NonNullable<RuleInput["no_data"]>;
export type Sensitivity = NonNullable<RuleInput["sensitivity"]>;

export type Trigger = Schemas["TriggerShape"];
export type TriggerDetail = Schemas["TriggerDetail"];
export type Transition = Schemas["TransitionShape"];
export type TriggerState = Trigger["state"];
export type Feedback = NonNullable<Trigger["feedback"]>;
export type BulkInput = Schemas["BulkBody"];
export type BulkAnswer = Schemas["BulkResult"];

export type InAppNotification = Schemas["InboxEntry"] & { severity: Severity };
export type Inbox = Schemas["Inbox"] & { items: InAppNotification[] };
export type LedgerRow = Schemas["LedgerShape"];
export type Channel = Schemas["ChannelShape"];

export type Member = Schemas["MemberShape"];
export type ApiKey = Schemas["ApiKeyShape"];
export type KeyScope = ApiKey["scopes"][number];
export type AuditEntry = Schemas["AuditShape"];

export type Export = Schemas["ExportShape"];
export type ExportForm = Export["format"];

export type ChannelInput = Schemas["ChannelNew"];
export type ChannelHealth = Schemas["ChannelHealth"];
export type Preferences = Schemas["Preferences"];
export type PreferencesChange = Schemas["PreferencesChange"];
export type EscalationStep = Schemas["EscalationStep"];

/** The analytics answer as rows or tables too; what this page asks for is the object. */
export type AnalyticsSummary = Schemas["Summary"];
export type AnalyticsFigures = Schemas["Window"];
export type AnalyticsTrends = Schemas["Trends"];
export type AnalyticsDistribution = Schemas["Distribution"];
export type AnalyticsPerformance = Schemas["Performance"];
export type FrameworkFigures = AnalyticsPerformance["items"][number];
export type Noise = Schemas["Noise"];
export type NoisyRule = Schemas["NoisyRule"];
export type PagedMember = Schemas["PagedMember"];

export type Matcher = Schemas["MatcherBody"];
export type Silence = Schemas["SilenceShape"];
export type SilenceInput = Schemas["SilenceNew"];
export type MuteWindow = Schemas["MuteWindowShape"];
export type MuteWindowInput = Schemas["MuteWindowNew"];
export type Interval = Schemas["IntervalShape"];
export type InhibitionRule = Schemas["InhibitionShape"];
export type InhibitionInput = Schemas["InhibitionNew"];

export type Pattern = Schemas["PatternShape"];
export type PatternDetail = Schemas["PatternDetail"];
export type PatternType = Pattern["type"];

export type Prediction = Schemas["PredictionShape"];
export type PredictionKind = Prediction["kind"];
export type Score = Schemas["ScoreShape"];
export type Scorecard = Schemas["Scorecard"];
export type Insight = Schemas["InsightShape"];
export type Statement = Schemas["StatementShape"];
export type Fact = Schemas["FactShape"];
export type Recommendation = Schemas["RecommendationShape"];

export type Backtest = Schemas["RehearsalShape"];
export type BacktestSummary = Schemas["BacktestSummary"];
export type Tuning = Schemas["TuningShape"];
export type Candidate = Schemas["CandidateShape"];

export type FrameworkListed = Schemas["FrameworkListed"];
export type HealthStatus = Schemas["HealthNow"]["status"];
export type FrameworkHealth = Schemas["FrameworkHealth"];
export type CategoryHealth = Schemas["CategoryHealth"];
export type FrameworkRisk = Schemas["FrameworkRisk"];
export type StrategyVersion = Schemas["StrategyVersionShape"];
export type StrategyScore = Schemas["StrategyScoreShape"];

export type QualityRun = Schemas["QualityRun"];
export type Source = Schemas["SourceShape"];
export type SourceInput = Schemas["SourceNew"];
export type SourceKind = Source["kind"];
export type RejectedPoint = Schemas["RejectedShape"];

export type Integration = Schemas["Integration"];
export type Queue = Schemas["QueueShape"];

export type Simulation = Schemas["SimulationShape"];

export type RulePlan = Schemas["RulePlan"];
export type RuleStep = Schemas["RuleStep"];
export type Forecast = Schemas["SeriesForecastShape"];
