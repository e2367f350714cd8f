import type { Origin } from '../scope/option-value.ts';

/** What the grammar knows: names, values, blocks. It knows no option. */
export type Node = OptionNode | StanzaNode | IncludeNode;

/** `name = value` */
export interface OptionNode {
  readonly kind: 'option';
  readonly name: string;
  readonly value: ValueNode;
  readonly origin: Origin;
}

/** `name { … }` or `name "label" { … }` */
export interface StanzaNode {
  readonly kind: 'stanza';
  readonly name: string;
  readonly label?: ScalarNode;
  readonly children: readonly Node[];
  readonly origin: Origin;
}

/** `include "file"` or `readonly_include "file"` */
export interface IncludeNode {
  readonly kind: 'include';
  readonly path: ScalarNode;
  readonly origin: Origin;
}

export type ValueNode = ScalarNode | ArrayNode | MapNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly text: string;
  readonly origin: Origin;
}

/** `( "a" "b" )` */
export interface ArrayNode {
  readonly kind: 'array';
  readonly items: readonly ScalarNode[];
  readonly origin: Origin;
}

/** `[ name = "value" … ]` */
export interface MapNode {
  readonly kind: 'map';
  readonly entries: readonly { readonly name: ScalarNode; readonly value: ScalarNode }[];
  readonly origin: Origin;
}
