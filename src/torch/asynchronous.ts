/** Types of `ops.NAME.async`: the arguments of each overload, and a promise of its result. */

type Call = (...args: never[]) => unknown;
type Promised<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;

/**
 * The overloads of a function. No operator has more than 16; TypeScript repeats the first overload
 * if there are fewer.
 */
type Overloads<F> = F extends {
  (...args: infer A1): infer R1;
  (...args: infer A2): infer R2;
  (...args: infer A3): infer R3;
  (...args: infer A4): infer R4;
  (...args: infer A5): infer R5;
  (...args: infer A6): infer R6;
  (...args: infer A7): infer R7;
  (...args: infer A8): infer R8;
  (...args: infer A9): infer R9;
  (...args: infer A10): infer R10;
  (...args: infer A11): infer R11;
  (...args: infer A12): infer R12;
  (...args: infer A13): infer R13;
  (...args: infer A14): infer R14;
  (...args: infer A15): infer R15;
  (...args: infer A16): infer R16;
}
  ? ((...args: A1) => Promise<R1>) &
      ((...args: A2) => Promise<R2>) &
      ((...args: A3) => Promise<R3>) &
      ((...args: A4) => Promise<R4>) &
      ((...args: A5) => Promise<R5>) &
      ((...args: A6) => Promise<R6>) &
      ((...args: A7) => Promise<R7>) &
      ((...args: A8) => Promise<R8>) &
      ((...args: A9) => Promise<R9>) &
      ((...args: A10) => Promise<R10>) &
      ((...args: A11) => Promise<R11>) &
      ((...args: A12) => Promise<R12>) &
      ((...args: A13) => Promise<R13>) &
      ((...args: A14) => Promise<R14>) &
      ((...args: A15) => Promise<R15>) &
      ((...args: A16) => Promise<R16>)
  : Promised<F>;

export type Asynchronous<Functions> = {
  [Name in keyof Functions]: Functions[Name] &
    (Functions[Name] extends Call ? { async: Overloads<Functions[Name]> } : unknown);
};
