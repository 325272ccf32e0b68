/** Requests on the shipped files: the golden cases, the demo with few samples. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { demoRequest } from '../../dist/src/cli/demo-request.js';

/** Cases of `expected.json` or `expected-strict.json` by name. */
export function goldenCases(root, file) {
  const { cases } = JSON.parse(readFileSync(join(root, 'test/golden', file), 'utf8'));
  return new Map(cases.map((each) => [each.name, each]));
}

const singleLayer = ['TopK', 'Vanilla', 'Gated', 'JumpReLU'];
const withK = ['TopK', 'RouteSAE', 'MLSAE', 'RandomK'];

/** Fields of an object that are not undefined. */
function given(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function saeOf(kind, { layer, k, routing, aggregation }, shipped) {
  return {
    kind,
    checkpoint: shipped(`${kind === 'RandomK' ? 'TopK' : kind}_tiny.pt`),
    ...(singleLayer.includes(kind) ? { layer } : {}),
    ...(withK.includes(kind) ? { k } : {}),
    ...(kind === 'RouteSAE' ? given({ routing, aggregation }) : {}),
  };
}

/** The request that computes a golden case under both protocols. */
export function requestOfCase({ config, results }, { root, device }) {
  const { seqLen, maxSamples, batchSize = 64, inferK, theta } = config;
  const shipped = (name) => join(root, 'checkpoints', name);
  return {
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen, maxSamples },
    batchSize,
    device,
    ...given({ inferK, theta }),
    saes: Object.keys(results).map((kind) => saeOf(kind, config, shipped)),
  };
}

/** The demo on some samples: a handful on the simulated device, which is slower than a CPU. */
export function fewSamples({ device, simulated }) {
  const size = simulated ? { seqLen: 64, maxSamples: 4 } : { seqLen: 256, maxSamples: 64 };
  return {
    ...demoRequest(),
    device,
    dataset: { ...demoRequest().dataset, ...size },
    batchSize: size.maxSamples / 2,
  };
}
