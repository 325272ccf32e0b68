/** Modules that this process loaded ahead of its own, such as an OpenTelemetry SDK. */

/**
 * `--import` and `--require` of a command line: a forked process has its own.
 */
export function preloads(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) => {
    if (/^--(import|require)=/.test(flag)) return [flag];
    const value = flags[index + 1];
    return /^(--import|--require|-r)$/.test(flag) && value !== undefined ? [flag, value] : [];
  });
}

/** Whether this process loaded something ahead. */
export function hasPreloads(): boolean {
  const options = (process.env['NODE_OPTIONS'] ?? '').split(/[\s=]/);
  return [...options, ...preloads(process.execArgv)].some((option) =>
    /^(?:--(?:import|require)|-r)/.test(option),
  );
}
