export function parseSchema(schema: string): { name: string };
