/** Finds the method for a path as API Gateway does: literal parts before `{name}`, `{name}` before the greedy `{name+}`. */
import type { Method } from './model.ts';

export interface RouteNode {
  readonly literal: Map<string, RouteNode>;
  named?: { readonly name: string; readonly node: RouteNode };
  greedy?: { readonly name: string; readonly node: RouteNode };
  readonly methods: Map<string, Method>;
  /** Declared as a resource, with or without methods. */
  declared: boolean;
}

export interface RouteMatch {
  readonly method: Method | undefined;
  /** Parts of the path as they were sent, not decoded. */
  readonly pathParameters: Readonly<Record<string, string>>;
}

export const newNode = (): RouteNode => ({ literal: new Map(), methods: new Map(), declared: false });

/** Adds a declared path; without a method only the path exists. */
export const addRoute = (root: RouteNode, path: string, method: Method | undefined): void => {
  let node = root;
  for (const part of path.split('/').slice(1)) {
    const name = /^\{([^}+]+)(\+?)\}$/.exec(part);
    if (!name) {
      const next = node.literal.get(part) ?? newNode();
      node.literal.set(part, next);
      node = next;
    } else if (name[2] === '+') {
      node.greedy ??= { name: name[1] ?? '', node: newNode() };
      node = node.greedy.node;
    } else {
      node.named ??= { name: name[1] ?? '', node: newNode() };
      node = node.named.node;
    }
  }
  node.declared = true;
  if (method) node.methods.set(method.httpMethod, method);
};

type Reached = { readonly node: RouteNode; readonly parameters: Record<string, string> } | undefined;

const reach = (node: RouteNode, parts: readonly string[]): Reached => {
  const [part, ...rest] = parts;
  if (part === undefined) return node.declared ? { node, parameters: {} } : undefined;
  const literal = node.literal.get(part);
  const exact = literal && reach(literal, rest);
  if (exact) return exact;
  if (node.named && part !== '') {
    const found = reach(node.named.node, rest);
    if (found) return { ...found, parameters: { [node.named.name]: part, ...found.parameters } };
  }
  if (node.greedy && parts.some((p) => p !== '')) {
    return { node: node.greedy.node, parameters: { [node.greedy.name]: parts.join('/') } };
  }
  return undefined;
};

/** The method for a path without its query, or undefined where API Gateway answers "Missing Authentication Token". */
export const findRoute = (root: RouteNode, httpMethod: string, path: string): RouteMatch | undefined => {
  const parts = path === '/' || path === '' ? [] : path.split('/').slice(1);
  root.declared = true;
  const reached = reach(root, parts);
  if (!reached) return undefined;
  const method = reached.node.methods.get(httpMethod) ?? reached.node.methods.get('ANY');
  return { method, pathParameters: reached.parameters };
};
