/** Roles of API keys. */

/**
 * `admin` may do everything with all evaluations; `submit` submits, and sees and ends its own;
 * `read` reads its own and what is shared, lists and metrics, and changes nothing.
 */
export const roles = ['admin', 'submit', 'read'] as const;
export type Role = (typeof roles)[number];
