/**
 * Skip connections whose orientation no file tells: a square matrix that some sources multiply by
 * as it is stored and others by its transpose. The data decide: the transpose of what is assumed is
 * taken if the prediction with it is clearly better. Weights that were trained tell it at once.
 */

/** Squared errors of predictions over the squared norm of what is predicted, both ways. */
export interface SkipErrors {
  assumed: number;
  transposed: number;
}

/** Factor by which the error of the transpose must be smaller. */
const clearly = 2;

/** Whether the transpose is taken. Predictions worse than zero vectors decide nothing. */
export const isTransposed = ({ assumed, transposed }: SkipErrors): boolean =>
  transposed < 1 && transposed * clearly < assumed;

/** State of a skip connection whose orientation may be open. */
export class OpenSkip {
  readonly #mayBeTurned: boolean;
  #isOpen: boolean;
  #isTurned = false;

  constructor(isOpen: boolean) {
    this.#mayBeTurned = isOpen;
    this.#isOpen = isOpen;
  }

  /**
   * Begins a run: every run decides on its own data, whatever an earlier one with the same SAE did.
   * @param earlier what an earlier part of this run decided; undefined if there is none.
   * @returns whether the matrices must be turned.
   */
  begin(earlier: boolean | undefined): boolean {
    if (!this.#mayBeTurned) return false;
    const isTurned = earlier ?? false;
    const turns = isTurned !== this.#isTurned;
    this.#isTurned = isTurned;
    this.#isOpen = earlier === undefined;
    return turns;
  }

  /** Whether the data have still to decide. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the data decided for the transpose. */
  get isTurned(): boolean {
    return this.#isTurned;
  }

  /** Decides, once; says whether the matrices must be turned. */
  decide(errors: SkipErrors): boolean {
    this.#isOpen = false;
    return (this.#isTurned = isTransposed(errors));
  }
}
