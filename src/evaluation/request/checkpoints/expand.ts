/**
 * From a request whose SAEs are named by patterns and folders to one that names each: what is
 * evaluated, recorded and run again.
 */
import { asSaeEvalError, SaeEvalError, type FieldError } from '../../../errors.js';
import type {
  EvaluationRequest,
  ResolvedRequest,
  ResolvedSaeSpec,
  SaeSpec,
} from '../../../schema/index.js';
import { mostSaes } from '../../../schema/index.js';
import { differencesOf } from './differences.js';
import { Problems } from '../problems.js';

/** A request with the schema's defaults whose SAEs may be named by patterns. */
export type ParsedRequest = Omit<ResolvedRequest, 'saes'> & Pick<EvaluationRequest, 'saes'>;

/** Whether a request names SAEs by a pattern or a folder. */
export const hasPatterns = ({ saes }: Pick<EvaluationRequest, 'saes'>): boolean =>
  saes.some(({ checkpoints }) => checkpoints !== undefined);

interface Named {
  spec: ResolvedSaeSpec;
  /** Index in the request as it was typed. */
  index: number;
  /** Label that the user gave, before what differs. */
  given: string | undefined;
  /** Whether a pattern or folder named it. */
  isFound: boolean;
}

function namedBy(spec: SaeSpec, index: number, found: readonly string[] | null): Named[] {
  const { checkpoint, checkpoints: _, ...fields } = spec;
  if (found === null) {
    const own = { ...fields, checkpoint: checkpoint! };
    return [{ spec: own, index, given: spec.label, isFound: false }];
  }
  const { label: given, ...shared } = fields;
  return found.map((one) => ({
    spec: { ...shared, checkpoint: one },
    index,
    given,
    isFound: true,
  }));
}

const hasRepeated = (labels: readonly string[]): boolean => new Set(labels).size < labels.length;

/** A label for each SAE that a pattern or folder named, none twice. */
function label(all: readonly Named[]): void {
  const found = all.filter(({ isFound }) => isFound);
  const fields = new Set(found.map(({ index }) => index));
  const labels = new Map<Named, string>();
  const put = (group: readonly Named[]): void => {
    const told = differencesOf(group.map(({ spec }) => spec.checkpoint));
    group.forEach((one, at) =>
      labels.set(one, one.given === undefined ? told[at]! : `${one.given} ${told[at]}`),
    );
  };
  for (const field of fields) put(found.filter(({ index }) => index === field));
  const open = found.filter(({ given }) => given === undefined);
  // Two fields may give the same labels: then the differences among all paths are taken.
  if (hasRepeated(open.map((one) => labels.get(one)!))) put(open);
  const taken = new Set(all.flatMap(({ spec }) => spec.label ?? []));
  for (const one of found) {
    const first = labels.get(one)!;
    let free = first;
    for (let n = 2; taken.has(free); n++) free = `${first} ${n}`;
    taken.add(free);
    one.spec.label = free;
  }
}

/** A request whose SAEs are each named, and the way back to the fields that named them. */
export class Expansion {
  private constructor(
    readonly request: ResolvedRequest,
    private readonly named: readonly Named[],
  ) {}

  /**
   * Finds the SAEs of a request.
   * @param find the checkpoints of a pattern or folder.
   * @throws SaeEvalError naming the `checkpoints` at fault.
   */
  static async of(
    parsed: ParsedRequest,
    find: (checkpoints: string) => Promise<readonly string[]> | readonly string[],
  ): Promise<Expansion> {
    const problems = new Problems();
    const named: Named[] = [];
    for (const [index, spec] of parsed.saes.entries()) {
      const { checkpoints } = spec;
      const found =
        checkpoints === undefined
          ? null
          : await problems.at(`saes[${index}].checkpoints`, () => find(checkpoints));
      if (checkpoints === undefined || found !== null) named.push(...namedBy(spec, index, found));
    }
    problems.throwIfAny();
    if (named.length > mostSaes) {
      const message = `expected at most ${mostSaes} SAEs in all, found ${named.length}`;
      throw new SaeEvalError('request-invalid', `saes: ${message}`, {
        fields: [{ path: 'saes', message }],
      });
    }
    label(named);
    return new Expansion({ ...parsed, saes: named.map(({ spec }) => spec) }, named);
  }

  /** The result of `body`; its error names the fields of the request as it was typed. */
  async telling<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (thrown) {
      throw this.told(thrown);
    }
  }

  /** An error about fields of the request as it was typed. */
  told(thrown: unknown): unknown {
    if (!(thrown instanceof SaeEvalError) || !this.named.some(({ isFound }) => isFound))
      return thrown;
    const { code, message, fields } = asSaeEvalError(thrown, 'The request');
    const groups = new Map<string, FieldError & { files: string[] }>();
    for (const field of fields) {
      const one = this.#typed(field);
      const known = groups.get(`${one.path}\0${one.message}`);
      if (known === undefined) groups.set(`${one.path}\0${one.message}`, one);
      else known.files.push(...one.files);
    }
    const typed = [...groups.values()].map(({ path, message: why, files }) => ({
      path,
      message: files.length === 0 ? why : `${inWords(files)}: ${why}`,
    }));
    const [first] = typed;
    const told = first === undefined ? message : `${first.path}: ${first.message}`;
    return new SaeEvalError(code, told, {
      fields: typed,
      cause: thrown,
    });
  }

  #typed({ path, message }: FieldError): FieldError & { files: string[] } {
    const [, at, rest] = /^saes\[(\d+)\](.*)$/.exec(path) ?? [];
    const one = at === undefined ? undefined : this.named[Number(at)];
    if (one === undefined) return { path, message, files: [] };
    const field = rest === '.checkpoint' && one.isFound ? '.checkpoints' : rest;
    const { checkpoint } = one.spec;
    // The message may name the file itself, which then need not be named before it.
    const says = message.startsWith(`${checkpoint}: `);
    return {
      path: `saes[${one.index}]${field}`,
      message: says ? message.slice(checkpoint.length + 2) : message,
      files: one.isFound ? [checkpoint] : [],
    };
  }
}

function inWords([first, ...others]: readonly string[]): string {
  return others.length === 0 ? first! : `${first} and ${others.length} more`;
}
