// Routing in state: instances by name, tables by version.
import type { InstanceRecord } from '../../schemas/types/instance-record.ts';
import type { RoutingTable } from '../../schemas/types/routing-table.ts';
import type { StateReader } from '../types.ts';

export function instancePath(name: string): string {
  return `routing/instance/${name}`;
}

export function readInstance(state: StateReader, name: string): InstanceRecord | undefined {
  return state.get(instancePath(name)) as InstanceRecord | undefined;
}

/** State value at `routing/table/current` and at `routing/table/<version>`. */
export type TableVersion = {
  readonly version: number;
  readonly digest: string;
  /** Block that put it in force. */
  readonly height: number;
  readonly table: RoutingTable;
};

export const CURRENT_TABLE = 'routing/table/current';

export function tablePath(version: number): string {
  return `routing/table/${version}`;
}

export function currentTable(state: StateReader): TableVersion | undefined {
  return state.get(CURRENT_TABLE) as TableVersion | undefined;
}
