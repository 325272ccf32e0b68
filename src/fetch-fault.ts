/**
 * A fault of Node's `fetch`: its parser of HTTP is a WebAssembly program, for which V8 reserves
 * 10 GB of addresses. Where a process may not have these (`ulimit -v`, set by some schedulers),
 * naming `Response` is enough, and Node leaves a rejected promise behind that nobody can catch.
 * Only calls of `fetch` lack the program, and they say so.
 */

/** Whether a rejection is that fault. */
export function isFetchFault(thrown: unknown): boolean {
  return thrown instanceof RangeError && thrown.message.includes('WebAssembly');
}

/**
 * Lets this process outlive the fault. Any other rejection stays what it is to Node: the end.
 * @param onFault is called once for each fault.
 */
export function outliveFetchFault(onFault: (fault: unknown) => void = () => {}): void {
  process.on('unhandledRejection', (thrown) => {
    if (!isFetchFault(thrown)) throw thrown;
    onFault(thrown);
  });
}
