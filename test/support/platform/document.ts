/** docs/platform-api.yaml as data: its operations, its examples, and whether something is as it says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { ROOT } from '../../architecture/scratch.js';

export const DOCUMENT_PATH = join(ROOT, 'docs/platform-api.yaml');

export type OperationId =
  'findUser' | 'listAuthorities' | 'authorize' | 'listApps' | 'hostKeys' | 'openSession' | 'endSession';

interface Ref {
  readonly $ref: string;
}

interface Parameter {
  readonly name: string;
  readonly in: 'header' | 'path';
  readonly required?: boolean;
  readonly schema: object;
}

interface Body {
  readonly content?: {
    readonly 'application/json': {
      readonly schema: Ref;
      readonly examples: Record<string, { readonly value: unknown }>;
    };
  };
}

interface Operation {
  readonly operationId: OperationId;
  readonly parameters?: readonly (Parameter | Ref)[];
  readonly requestBody?: Body;
  readonly responses: Record<string, Body | Ref>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

export const document = parse(readFileSync(DOCUMENT_PATH, 'utf8')) as Document;

export interface Route {
  readonly id: OperationId;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export const routes: readonly Route[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    operation,
  })),
);

/** The operation that a request line asks for, and what stands in its path. */
export function routeOf(
  method: string,
  pathname: string,
): (Route & { parameters: Record<string, string> }) | undefined {
  for (const route of routes) {
    const pattern = new RegExp(`^${route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const match = route.method === method ? pattern.exec(pathname) : null;
    if (match !== null) return { ...route, parameters: { ...match.groups } };
  }
  return undefined;
}

const DOCUMENT_ID = 'platform-api';
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(document, DOCUMENT_ID);
const compiled = new Map<string, ValidateFunction>();

/** What is wrong with a value, by a schema that may point into the document; undefined when nothing is. */
export function problemOf(schema: object, value: unknown): string | undefined {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#', `"$ref":"${DOCUMENT_ID}#`);
  const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
  compiled.set(text, validate);
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}

/** What is wrong with a request: its body, and the parameters the document wants. */
export function requestProblem(
  { operation, parameters }: NonNullable<ReturnType<typeof routeOf>>,
  headers: Readonly<Record<string, unknown>>,
  body: unknown,
): string | undefined {
  for (const parameter of parametersOf(operation)) {
    const { name, schema, required = false } = parameter;
    const value = parameter.in === 'path' ? parameters[name] : headers[name.toLowerCase()];
    if (value === undefined && !required) continue;
    const problem = problemOf(schema, value);
    if (problem !== undefined) return `${operation.operationId}: ${name} is ${String(value)}: ${problem}`;
  }
  const schema = operation.requestBody?.content?.['application/json'].schema;
  if (schema === undefined) return body === undefined ? undefined : `${operation.operationId}: it has a body`;
  const problem = problemOf(schema, body);
  return problem === undefined ? undefined : `${operation.operationId}: ${problem}`;
}

export function parametersOf(operation: Operation): readonly Parameter[] {
  return (operation.parameters ?? []).map((parameter) =>
    '$ref' in parameter ? pointed<Parameter>(parameter) : parameter,
  );
}

/** What is wrong with an answer; undefined when the document has it. */
export function answerProblem({ operation }: Route, status: number, body: unknown): string | undefined {
  const response = responseOf(operation, status);
  if (response === undefined) return `${operation.operationId}: the document knows no ${status}`;
  const schema = response.content?.['application/json'].schema;
  if (schema === undefined) return body === undefined ? undefined : `${operation.operationId}: ${status} has a body`;
  const problem = problemOf(schema, body);
  return problem === undefined ? undefined : `${operation.operationId}: ${status}: ${problem}`;
}

function responseOf(operation: Operation, status: number): Body | undefined {
  const response = operation.responses[String(status)];
  return response !== undefined && '$ref' in response ? pointed<Body>(response) : response;
}

export interface Example {
  readonly id: OperationId;
  /** Undefined for what is asked. */
  readonly status?: number;
  readonly name: string;
  readonly value: unknown;
  readonly schema: object;
}

/** Every example of a question and of an answer. */
export const examples: readonly Example[] = routes.flatMap(({ id, operation }) => [
  ...examplesOf(operation.requestBody, { id }),
  ...Object.keys(operation.responses).flatMap((status) =>
    examplesOf(responseOf(operation, Number(status)), { id, status: Number(status) }),
  ),
]);

function examplesOf(body: Body | undefined, of: Pick<Example, 'id' | 'status'>): Example[] {
  const content = body?.content?.['application/json'];
  if (content === undefined) return [];
  const { schema, examples: named } = content;
  return Object.entries(named).map(([name, { value }]) => ({ ...of, name, value, schema }));
}

function pointed<T>({ $ref }: Ref): T {
  const steps = $ref.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], document) as T;
}
