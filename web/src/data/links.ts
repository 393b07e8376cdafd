/** Addresses of what runs beside the page. */
export interface Links {
  prefect: string;
}

/** Prefect's own UI listens on another port of the same machine. */
export function useLinks(): Links {
  return { prefect: `${location.protocol}//${location.hostname}:4200` };
}
