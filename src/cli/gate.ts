/** `--fail-if`: a limit on a number of a result, such as `TopK.strict.KLDivPerToken > 0.2`. */
import { SaeEvalError } from '../errors.js';
import type { Field, Metric, Protocol } from '../metrics/metric.js';
import { peerFields } from '../metrics/peers/fields.js';
import { isPeerProtocol, peerAliases } from '../metrics/peers/protocols.js';
import { fieldsOf, metrics } from '../metrics/table.js';
import { didYouMean } from '../nearest-name.js';
import {
  fullProtocols,
  peerProtocolNames,
  peersAmong,
  protocolNames,
  type PeerProtocol,
  type EvaluationResult,
  type ResolvedRequest,
  type SaeResult,
} from '../schema/index.js';

const compare = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
  '==': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
} as const;

export interface Gate {
  /** As it was typed. */
  text: string;
  /** Label of the SAE; null for any. */
  label: string | null;
  protocol: Protocol | PeerProtocol;
  field: string;
  comparison: keyof typeof compare;
  limit: number;
}

const example = "'TopK.strict.KLDivPerToken > 0.2' ('*.strict.L0 > 64' for any SAE)";
const wrong = (text: string, message: string): SaeEvalError =>
  new SaeEvalError('request-invalid', `--fail-if '${text}': ${message}`);

/** The label of an SAE: in double quotes or bare; `*` and `any` stand for all. */
function labelOf(text: string, gate: string): string | null {
  const label = text.trim();
  if (label === '*' || label === 'any') return null;
  if (!label.startsWith('"')) return label;
  try {
    const quoted: unknown = JSON.parse(label);
    if (typeof quoted === 'string') return quoted;
  } catch {
    // told below
  }
  throw wrong(gate, `expected a label in double quotes, found ${label}`);
}

function fieldOf(name: string, protocol: Protocol, gate: string): Field {
  const fields = fieldsOf(protocol);
  const found = fields.find(({ field }) => field === name);
  const numbers = fields.filter(({ shape }) => shape === 'number' || shape === 'estimate');
  const known = numbers.map(({ field }) => field);
  if (found === undefined)
    throw wrong(
      gate,
      `${protocol} has no metric '${name}'` +
        (didYouMean(name, known) || `: it has ${known.join(', ')}`),
    );
  if (numbers.includes(found)) return found;
  throw wrong(gate, `${name} is not a single number; expected one of ${known.join(', ')}`);
}

/** A number of another tool, such as `TopK.saelens@6.52.explained_variance`. */
const peerPattern = new RegExp(
  `^(.+)\\.(${Object.keys(peerAliases).join('|')})(@[\\d.]*\\d)?\\.([^.]*)$`,
  's',
);

/** The label, protocol and field of a tool's number; null if it is none. */
function peerNumber(
  left: string,
  gate: string,
): { label: string; protocol: PeerProtocol; field: string } | null {
  const [, label, tool, version = '', field] = peerPattern.exec(left) ?? [];
  if (label === undefined) return null;
  const [protocol] = peersAmong([`${tool}${version}`]);
  if (protocol === undefined)
    throw wrong(
      gate,
      `${tool} has no version '${version.slice(1)}': there are ${peerProtocolNames.join(', ')}`,
    );
  const known = peerFields(protocol).map((one) => one.field);
  if (!known.includes(field!))
    throw wrong(
      gate,
      `${protocol} has no number '${field}'` +
        (didYouMean(field!, known) || `: it has ${known.join(', ')}`),
    );
  return { label, protocol, field: field! };
}

/** A gate from its text. @throws SaeEvalError `request-invalid`. */
export function parseGate(text: string): Gate {
  const [, left, comparison, right] = /^(.*?)\s*([<>=!]+)\s*([^<>=!]*)$/s.exec(text) ?? [];
  if (left === undefined || right === undefined)
    throw wrong(text, `expected LABEL.PROTOCOL.METRIC, a comparison and a number: ${example}`);
  if (!Object.hasOwn(compare, comparison!))
    throw wrong(text, `expected one of ${Object.keys(compare).join(' ')}, found ${comparison}`);
  const limit = Number(right);
  if (right.trim() === '' || !Number.isFinite(limit))
    throw wrong(text, `expected a number after ${comparison}, found '${right.trim()}'`);
  const compared = { text, comparison: comparison as Gate['comparison'], limit };
  const ofTool = peerNumber(left.trim(), text);
  if (ofTool !== null) return { ...ofTool, ...compared, label: labelOf(ofTool.label, text) };
  const [, label, protocolName, name] = /^(.+)\.([^.]*)\.([^.]*)$/s.exec(left.trim()) ?? [];
  if (label === undefined)
    throw wrong(text, `expected LABEL.PROTOCOL.METRIC before ${comparison}: ${example}`);
  const protocol = protocolNames.find((one) => one === protocolName);
  if (protocol === undefined)
    throw wrong(
      text,
      `expected a protocol (${protocolNames.join(', ')}) before the metric, found ` +
        `'${protocolName}'${didYouMean(protocolName!, protocolNames)}`,
    );
  const { field } = fieldOf(name!, protocol, text);
  return { ...compared, label: labelOf(label, text), protocol, field };
}

/**
 * Checks that a request computes what a gate looks at.
 * @throws SaeEvalError `request-invalid`.
 */
export function checkGate(
  { text, label, protocol, field }: Gate,
  request: Pick<ResolvedRequest, 'protocol' | 'metrics' | 'saes'>,
): void {
  const labels = request.saes.map((sae) => sae.label ?? '');
  if (label !== null && !labels.includes(label))
    throw wrong(
      text,
      `no SAE of the request is labelled '${label}'` +
        (didYouMean(label, labels) || `: there are ${labels.join(', ')}`),
    );
  if (!fullProtocols(request.protocol).includes(protocol))
    throw wrong(text, `the request does not ask for the protocol ${protocol}`);
  // metrics filters no number of another tool.
  if (isPeerProtocol(protocol)) return;
  const { name } = (metrics as readonly Metric[]).find(({ fields }) =>
    fields.some((one) => one.field === field && one.protocol === protocol),
  )!;
  if (!(request.metrics as readonly string[]).includes(name))
    throw wrong(text, `the request leaves the metric ${name} out`);
}

function numberOf(sae: SaeResult, { protocol, field }: Gate): number | null {
  const value = (sae[protocol] as Record<string, unknown> | null | undefined)?.[field] ?? null;
  return typeof value === 'object'
    ? ((value as { mean: number } | null)?.mean ?? null)
    : Number(value);
}

export interface GateOutcome {
  fired: boolean;
  /** Whether there was no number to compare. */
  open: boolean;
  /** Sentences on what was found; none for a gate that did not fire. */
  lines: string[];
}

/** Compares the numbers of a result with the limit of a gate. */
export function checkResult(gate: Gate, { results }: EvaluationResult): GateOutcome {
  const { text, label, protocol, field, comparison, limit } = gate;
  const looked = results.filter((sae) => label === null || sae.label === label);
  const lines: string[] = [];
  let [fired, numbers] = [false, 0];
  for (const sae of looked) {
    const value = numberOf(sae, gate);
    const name = `${sae.label}.${protocol}.${field}`;
    if (value === null) {
      const note = sae.notes.find(({ metric }) => metric === `${protocol}.${field}`);
      const why = sae.error?.message ?? note?.en;
      lines.push(`--fail-if '${text}': ${name} has no value${why === undefined ? '' : `: ${why}`}`);
      continue;
    }
    numbers += 1;
    if (!compare[comparison](value, limit)) continue;
    fired = true;
    lines.push(`--fail-if '${text}' holds: ${name} is ${value}, the limit ${comparison} ${limit}`);
  }
  return { fired, open: numbers === 0, lines };
}
