export const findings = (_: unknown): [] => [];
