/** Whether the counts are those of `npm run test:full`; else a seeded part of them runs. */
export const full = process.env['SAE_EVAL_TEST_FULL'] !== undefined;
