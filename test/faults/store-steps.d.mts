import type { Store } from '#server/jobs/store.js';

export const steps: readonly ((store: Store) => void)[];
export function stateOf(store: Store): string;
