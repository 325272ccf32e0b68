/** Fields of a request whose numbers are no sums, so that one process computes the whole run. */
export const wholeRunFields = ['dictionaries', 'probes', 'absorption'] as const;

/** The field for which a run cannot be divided into shards; null if it can be. */
export const keepsWhole = (
  request: Partial<Record<(typeof wholeRunFields)[number], unknown>>,
): string | null =>
  wholeRunFields.find((field) => request[field] !== undefined && request[field] !== false) ?? null;
