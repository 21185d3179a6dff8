import type { ContainerModuleLoadOptions, ServiceIdentifier } from 'inversify';
import { adapterProblem, type Adapter } from './adapter-modules.js';
import { ConfigError } from './config.js';
import { lackingOf, type PortName } from './port-shapes.js';
import { reasonOf } from './reason.js';
import { tokens } from './tokens.js';

const PORTS = new Map<unknown, PortName>(
  // Object.entries forgets what the keys of an object are.
  [...names(tokens)].map((port) => [tokens[port], port]),
);

/** Ports that may be bound more than once. */
const MANY: readonly PortName[] = ['transport', 'lifecycle'];

/** Which adapter bound which port, so that a mistake in one is told with its name. */
export class BoundPorts {
  readonly #binders = new Map<PortName, Set<string>>();

  /** Has an adapter bind what it binds, by `load`. @throws ConfigError when that is nothing, or fails. */
  async load(
    adapter: Adapter,
    load: (module: Adapter['modules'][number], watch: Watch) => Promise<void>,
  ): Promise<void> {
    const bound = new Set<PortName>();
    const emptied = new Set<PortName>();
    try {
      for (const module of adapter.modules) await load(module, (options) => watched(options, bound, emptied));
    } catch (error) {
      throw new ConfigError([adapterProblem(adapter.name, `can't bind what it brings: ${reasonOf(error)}`)]);
    }
    const [empty] = [...emptied].filter((port) => !bound.has(port));
    if (empty !== undefined) {
      const reason = `binds ${empty} to nothing: after rebind(tokens.${empty}) it must say to what`;
      throw new ConfigError([adapterProblem(adapter.name, reason)]);
    }
    if (bound.size === 0) {
      const [first] = PORTS.values();
      const example = `rebind(tokens.${first}).toConstantValue(…), with the tokens of gitmouth`;
      throw new ConfigError([adapterProblem(adapter.name, `binds no port of gitmouth: it must say ${example}`)]);
    }
    for (const port of bound) {
      if (!MANY.includes(port)) this.#binders.delete(port);
      this.#binders.set(port, (this.#binders.get(port) ?? new Set()).add(adapter.name));
    }
  }

  /** The adapters of a port, made by `make` and looked at. @throws ConfigError when the module that bound it is to blame. */
  made<T>(token: ServiceIdentifier<T>, make: () => readonly T[]): readonly T[] {
    const port = PORTS.get(token);
    const values = this.#blaming(port, make);
    if (port === undefined) return values;
    const lacking = values.map((value) => lackingOf(port, value)).find((members) => members.length > 0);
    if (lacking === undefined) return values;
    throw this.#problem(port, `binds ${port} to something else: it lacks ${lacking.join(', ')}`);
  }

  /** The ports that an adapter bound, and no later one bound anew. */
  of(adapter: string): readonly PortName[] {
    return [...this.#binders].filter(([, binders]) => binders.has(adapter)).map(([port]) => port);
  }

  #blaming<T>(port: PortName | undefined, make: () => readonly T[]): readonly T[] {
    try {
      return make();
    } catch (error) {
      if (port === undefined || !this.#binders.has(port)) throw error;
      throw this.#problem(port, `can't make its ${port}: ${reasonOf(error)}`);
    }
  }

  #problem(port: PortName, reason: string): Error {
    const binders = this.#binders.get(port);
    if (binders === undefined) return new Error(`A module ${reason}`);
    return new ConfigError([adapterProblem([...binders].join(' or '), reason)]);
  }
}

export type Watch = (options: ContainerModuleLoadOptions) => ContainerModuleLoadOptions;

/** What a module is given to bind with, noting each port that it really binds. */
function watched(
  options: ContainerModuleLoadOptions,
  bound: Set<PortName>,
  emptied: Set<PortName>,
): ContainerModuleLoadOptions {
  const noteIn = (ports: Set<PortName>, token: unknown) => {
    const port = PORTS.get(token);
    if (port !== undefined) ports.add(port);
  };
  const note = (token: unknown) => {
    noteIn(bound, token);
  };
  return {
    ...options,
    bind(token) {
      const port = PORTS.get(token);
      if (port !== undefined && !MANY.includes(port) && options.isBound(token)) {
        throw new Error(`${port} is bound already: say rebind(tokens.${port}) in place of bind`);
      }
      return noting(options.bind(token), () => note(token));
    },
    rebind(token) {
      noteIn(emptied, token);
      return noting(options.rebind(token), () => note(token));
    },
    async rebindAsync(token) {
      noteIn(emptied, token);
      return noting(await options.rebindAsync(token), () => note(token));
    },
    onActivation(token, activation) {
      note(token);
      options.onActivation(token, activation);
    },
  };
}

/** `bind(x)` alone binds nothing: what counts is that one of the methods of what it returns is called. */
function noting<T extends object>(syntax: T, note: () => void): T {
  return new Proxy(syntax, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        note();
        return Reflect.apply(member, target, args);
      };
    },
  });
}

function* names<T extends object>(of: T): Generator<keyof T> {
  for (const name in of) yield name;
}
