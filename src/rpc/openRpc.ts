import schema from '../../schemas/rpc.schema.json' with { type: 'json' };

/**
 * The OpenRPC document (https://spec.open-rpc.org, 1.3.2) of `rpc.discover`, generated from `schemas/rpc.schema.json`.
 * @param version of the node
 */
export function openRpcDocument(version: string): unknown {
  const methods = Object.entries<MethodSchema>(schema.properties).map(([name, method]) => {
    const { params, result } = method.properties;
    return {
      name,
      description: method.description,
      paramStructure: 'by-name',
      params: parameters(params),
      result: { name: 'result', schema: pointToComponents(result) },
    };
  });
  return {
    openrpc: '1.3.2',
    info: {
      title: 'Weft node',
      version,
      description:
        'JSON-RPC 2.0 on HTTP POST / and on WebSocket /ws. Errors carry a stable code in error.data.code. A WebSocket with subscriptions also gets `heartbeat` notifications.',
    },
    methods,
    components: { schemas: pointToComponents(schema.$defs) },
  };
}

type ParamSchema = {
  readonly properties?: { readonly [name: string]: unknown };
  readonly required?: readonly string[];
  readonly oneOf?: readonly ParamSchema[];
};
type MethodSchema = {
  readonly description: string;
  readonly properties: { readonly params: ParamSchema; readonly result: unknown };
};

/** OpenRPC lists parameters one by one, so of alternatives it gets the union; the methods say which go together. */
function parameters(params: ParamSchema): unknown[] {
  const alternatives = params.oneOf ?? [params];
  const names = new Set(alternatives.flatMap((each) => Object.keys(each.properties ?? {})));
  return [...names].map((name) => {
    const schemas = alternatives.flatMap((each) =>
      each.properties?.[name] === undefined ? [] : [each.properties[name]],
    );
    return {
      name,
      required: alternatives.every((each) => each.required?.includes(name) === true),
      schema: pointToComponents(schemas.length === 1 ? schemas[0] : { anyOf: schemas }),
    };
  });
}

function pointToComponents(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pointToComponents);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      name === '$ref' && typeof each === 'string'
        ? each.replace('#/$defs/', '#/components/schemas/')
        : pointToComponents(each),
    ]),
  );
}
