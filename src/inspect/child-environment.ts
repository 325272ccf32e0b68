/**
 * Environment of a process that reads untrusted files: this process's, without the API key.
 */

/** Variables whose values are secrets of the server alone. */
const secrets: readonly string[] = ['SAE_EVAL_API_KEY'];

export function childEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !secrets.includes(name)),
  );
}
