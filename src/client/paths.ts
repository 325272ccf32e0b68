/** Path of an evaluation on a server. */
export const evaluationPath = (id: string): string => `/v1/evaluations/${encodeURIComponent(id)}`;
