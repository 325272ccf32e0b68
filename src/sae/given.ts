/**
 * The settings that a request gives beside a file, and the record of what describing the file with
 * them found: settings that the file knows, settings it asks for, settings that do not fit.
 */
import { SaeEvalError, type FieldError } from '../errors.js';
import { normalizationNames, type NormalizationName, type SaeKind } from '../schema/index.js';
import {
  normalizationsOf,
  readsOnePlace,
  type Normalization,
  type SaeForm,
} from './description.js';

export interface GivenFields {
  kind?: SaeKind | undefined;
  layer?: number | undefined;
  /** Name of its hook point. */
  hook?: string | undefined;
  /** Name of the hook point that it predicts, if it is a transcoder. */
  hookOut?: string | undefined;
  k?: number | undefined;
  /** Number that the SAE's input is multiplied by; crosscoders take one for each site. */
  scale?: number | readonly number[] | undefined;
  /** Whether the mean over d is taken off first. */
  centered?: boolean | undefined;
  /** How activations become the SAE's input. */
  normalization?: NormalizationName | undefined;
  /** Whether the decoder bias is subtracted from the input before the encoder. */
  preBias?: boolean | undefined;
  aggregation?: 'sum' | 'mean' | undefined;
  routing?: 'hard' | 'soft' | undefined;
  /** Override of the whole run, if it is its only setting. */
  theta?: number | undefined;
  inferK?: number | undefined;
}

export type GivenField =
  | 'kind'
  | 'layer'
  | 'hook'
  | 'hookOut'
  | 'k'
  | 'scale'
  | 'centered'
  | 'normalization'
  | 'preBias'
  | 'prefix'
  | 'aggregation'
  | 'routing'
  | 'theta';

/** Finding about a field of the request, made by describing a file. */
export interface FieldFinding {
  field: GivenField;
  state: 'required' | 'known' | 'optional';
  value?: string | number | boolean;
  /** The values that it may have, if they are few. */
  options?: readonly string[];
  reason: string;
  /** Field that may be given instead of a required one. */
  instead?: GivenField;
}

const normalizationNamed = (name: NormalizationName): Normalization =>
  name === 'layer-norm' ? { kind: name, epsilon: 1e-5 } : { kind: name };

export class GivenSettings {
  /** Faults of the fields given, and fields that must be given. */
  readonly faults: FieldError[] = [];
  readonly findings: FieldFinding[] = [];
  /** Whether the file left the normalization, or the use of its decoder bias, to the request. */
  readonly open = { normalization: false, preBias: false };

  constructor(readonly fields: GivenFields = {}) {}

  /** Records a setting that does not fit the file. */
  fault(field: GivenField, message: string): void {
    this.faults.push({ path: field, message });
  }

  /** Records a setting that the file does not hold and the request must give. */
  ask(field: GivenField, message: string): void {
    this.fault(field, message);
    this.findings.push({ field, state: 'required', reason: message });
  }

  /** Records a setting that the file holds. */
  know(field: GivenField, value: string | number | boolean, from: string): void {
    this.findings.push({ field, state: 'known', value, reason: from });
  }

  /** Records a setting that may be given but need not be. */
  offer(
    field: GivenField,
    reason: string,
    more: Pick<FieldFinding, 'value' | 'options'> = {},
  ): void {
    this.findings.push({ field, state: 'optional', ...more, reason });
  }

  /** Refuses a setting that has no meaning for the file; `why` is a sentence without its end. */
  refuse(field: 'scale' | 'centered', why: string): void {
    const given = this.fields[field];
    // A scale of 1 changes nothing.
    if (given !== undefined && !(field === 'scale' && given === 1))
      this.fault(field, `${why}; leave \`${field}\` out`);
  }

  /** The request's k, else the file's. `where`: where the file would hold it. */
  k({ saved, m, where }: { saved?: number | null | undefined; m: number; where: string }): number {
    const fits = (k: number | null | undefined): k is number =>
      typeof k === 'number' && Number.isInteger(k) && k >= 1 && k <= m;
    if (fits(saved)) this.know('k', saved, where);
    const given = this.fields.k;
    if (fits(given)) return given;
    if (given !== undefined)
      this.fault('k', `expected at most ${m} active latents (1…${m}), found ${String(given)}`);
    else if (fits(saved)) return saved;
    else
      this.ask(
        'k',
        `expected k of 1…${m}, the number of active latents, in ${where}, found ` +
          `${saved ?? 'none'}: give k in the request`,
      );
    return 1;
  }

  /** The one scale of an SAE on one hook point; undefined if none is given. */
  scale(): number | undefined {
    const { scale } = this.fields;
    if (scale === undefined || typeof scale === 'number') return this.#positive(scale);
    this.fault(
      'scale',
      `expected one number, found a list of ${scale.length}; lists are for crosscoders, a number ` +
        'for each site',
    );
    return undefined;
  }

  #positive(scale: number | undefined): number | undefined {
    if (scale === undefined || (Number.isFinite(scale) && scale > 0)) return scale;
    this.fault('scale', `expected a positive number, found ${scale}`);
    return undefined;
  }

  /** The normalization of a file whose input may be scaled; `otherwise` if no scale is given. */
  optionalScale(otherwise: Normalization): Normalization {
    if (otherwise.kind === 'scale') this.know('scale', otherwise.factor, 'the file');
    else this.offer('scale', 'the number that the SAE’s input is multiplied by');
    const factor = this.scale();
    return factor === undefined ? otherwise : { kind: 'scale', factor };
  }

  /** The normalization of a file that cannot say how its input was made; else the assumed one. */
  normalization(assumed: Normalization): Normalization {
    this.open.normalization = true;
    this.offer('normalization', 'how activations become its input, which the file cannot say', {
      value: assumed.kind,
      options: normalizationNames,
    });
    const { normalization } = this.fields;
    const wanted = normalization === undefined ? assumed : normalizationNamed(normalization);
    if (wanted.kind === 'none') return this.optionalScale(wanted);
    if (normalization !== undefined) this.refuse('scale', `goes with normalization none alone`);
    return wanted;
  }

  /** Whether a file that cannot say subtracts its decoder bias first; else what is assumed. */
  preBias(assumed: boolean): boolean {
    this.open.preBias = true;
    this.offer(
      'preBias',
      'whether the decoder bias is subtracted first, which the file cannot say',
      {
        value: assumed,
      },
    );
    return this.fields.preBias ?? assumed;
  }

  /** Refuses fields for a file that itself says otherwise. */
  checkSaid(form: SaeForm): void {
    const { normalization, preBias } = this.fields;
    const said = [...new Set(normalizationsOf(form).map(({ kind }) => kind))];
    if (
      normalization !== undefined &&
      !this.open.normalization &&
      said.some((kind) => kind !== normalization)
    )
      this.fault(
        'normalization',
        `the file says ${said.join(', ')}, the request ${normalization}; leave it out`,
      );
    const one = readsOnePlace(form);
    const subtracts = one && form.subtractDecoderBias;
    const hasBias = !one || form.decoderBias !== null;
    if (preBias !== undefined && (!this.open.preBias || !hasBias) && preBias !== subtracts)
      this.fault(
        'preBias',
        hasBias
          ? `the file says that its decoder bias is ${subtracts ? '' : 'not '}subtracted first; ` +
              'leave it out'
          : 'the file has no decoder bias to subtract; leave it out',
      );
  }

  /** The normalization of a file that does not hold the scale it needs. */
  neededScale(why: string): Normalization {
    if (this.fields.scale === undefined)
      this.ask('scale', `${why} Give \`scale\`, the number that the SAE’s input is multiplied by.`);
    const factor = this.scale();
    return factor === undefined ? { kind: 'none' } : { kind: 'scale', factor };
  }

  /**
   * Settings for each of n sites: every site sees its own number of a list, or the one number that
   * all share.
   */
  perSite(n: number, what: string): GivenSettings[] {
    const { scale } = this.fields;
    if (Array.isArray(scale) && scale.length !== n)
      this.fault('scale', `expected ${n} numbers, one for each ${what}, found ${scale.length}`);
    return Array.from({ length: n }, (_, j) => {
      const own = Array.isArray(scale)
        ? (scale as readonly number[])[j]
        : (scale as number | undefined);
      return new GivenSettings({ ...this.fields, scale: own });
    });
  }

  /** Takes over what was found with the settings of a site, once for all sites. */
  takeOver(sites: readonly GivenSettings[]): void {
    const first = sites.find(({ faults }) => faults.length > 0) ?? sites[0];
    this.faults.push(...(first?.faults ?? []));
    this.findings.push(...(first?.findings ?? []));
  }

  /** Whether the mean is taken off first: the request's word, else the file's. */
  centered(saved?: boolean, from = 'the file'): boolean {
    if (saved === true) this.know('centered', true, from);
    else this.offer('centered', 'true if it was trained on a residual stream without its mean');
    return this.fields.centered ?? saved ?? false;
  }

  /** @throws SaeEvalError `sae-option` naming the first fault. */
  throwIfAny(file: string): void {
    const [first] = this.faults;
    if (first !== undefined)
      throw new SaeEvalError('sae-option', `${file}: ${first.path}: ${first.message}`, {
        fields: this.faults,
      });
  }
}
