/**
 * TypeScript declarations made from zod schemas: each field with its description, so that editors
 * show it. Compare with `toMatchFileSnapshot`: `vitest -u` writes them.
 */
import { z } from 'zod';
import {
  evaluationStatuses,
  floatDtypes,
  metricNames,
  normalizationNames,
  protocolNames,
  saeKinds,
} from '#src/schema/index.js';

interface JsonSchema {
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly JsonSchema[];
  oneOf?: readonly JsonSchema[];
  items?: JsonSchema;
  prefixItems?: readonly JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  $defs?: Record<string, JsonSchema>;
}

/** Unions that have a name; a new kind or metric then needs no new declarations. */
const namedUnions = new Map<string, string>(
  Object.entries({
    SaeKind: saeKinds,
    MetricName: metricNames,
    ProtocolName: protocolNames,
    FloatDtype: floatDtypes,
    NormalizationName: normalizationNames,
    EvaluationStatus: evaluationStatuses,
  }).map(([name, values]) => [JSON.stringify(values), name]),
);

const literal = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : JSON.stringify(value);

/** Longest line of a comment. */
const width = 92;

function comment(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.replaceAll('*/', '*\\/').split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.length === 1
    ? `${indent}/** ${lines[0]} */\n`
    : `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

function typeOf(schema: JsonSchema, indent = ''): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1)!;
  if ('const' in schema) return literal(schema.const);
  if (schema.enum !== undefined)
    return namedUnions.get(JSON.stringify(schema.enum)) ?? schema.enum.map(literal).join(' | ');
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined)
    return [...new Set(options.map((one) => typeOf(one, indent)))].join(' | ');
  if (typeof schema.type === 'object')
    return schema.type.map((type) => typeOf({ ...schema, type }, indent)).join(' | ');
  if (schema.type === 'array') {
    if (schema.prefixItems !== undefined)
      return `[${schema.prefixItems.map((one) => typeOf(one, indent)).join(', ')}]`;
    const item = typeOf(schema.items ?? {}, indent);
    return item.includes('|') ? `(${item})[]` : `${item}[]`;
  }
  if (schema.type === 'object') {
    if (schema.properties !== undefined) return objectOf(schema, indent);
    const { additionalProperties: values } = schema;
    return `Record<string, ${typeof values === 'object' ? typeOf(values, indent) : 'unknown'}>`;
  }
  return schema.type === 'integer' ? 'number' : (schema.type ?? 'unknown');
}

function objectOf({ properties = {}, required = [] }: JsonSchema, indent: string): string {
  const inside = `${indent}  `;
  const fields = Object.entries(properties).map(([name, field]) => {
    const isOptional = !required.includes(name);
    const text = [
      field.description,
      isOptional && field.default !== undefined && JSON.stringify(field.default).length < 60
        ? `@default ${JSON.stringify(field.default)}`
        : undefined,
    ].filter((one) => one !== undefined);
    const type = typeOf(field, inside);
    return (
      (text.length === 0 ? '' : comment(text.join(' '), inside)) +
      `${inside}${/^[\w$]+$/.test(name) ? name : literal(name)}` +
      (isOptional ? `?: ${type} | undefined;\n` : `: ${type};\n`)
    );
  });
  return `{\n${fields.join('')}${indent}}`;
}

/** Every schema in `$defs` of these schemas, by its id. */
export function definitions(
  schemas: readonly z.ZodType[],
  io: 'input' | 'output',
): Map<string, JsonSchema> {
  return new Map(
    schemas.flatMap((schema) =>
      Object.entries(
        (z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any' }) as JsonSchema)
          .$defs ?? {},
      ),
    ),
  );
}

/** Declarations of the schemas that are not `imported`, and of those that they refer to. */
export function declarations(
  defs: ReadonlyMap<string, JsonSchema>,
  { imported }: { imported: readonly string[] },
): string {
  return [...defs]
    .filter(([name]) => !imported.includes(name))
    .map(([name, schema]) => {
      const about = schema.description === undefined ? '' : comment(schema.description, '');
      const type = typeOf(schema);
      return schema.type === 'object' && schema.properties !== undefined
        ? `${about}export interface ${name} ${type}\n`
        : `${about}export type ${name} = ${type};\n`;
    })
    .join('\n');
}
