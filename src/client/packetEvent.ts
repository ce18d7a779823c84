/**
 * NLD packets as CloudEvents 1.0 in the structured JSON format, one to one in both directions, so that brokers that
 * know CloudEvents can carry packets. Nothing is lost and nothing is added: the way back gives the same packet, and an
 * event with anything else in it is refused.
 */
import { WeftError } from '../codec/error.ts';
import { checkCarrier, type NldPacket, PACKET_SCHEMA_VERSION } from './packet.ts';

export type PacketEvent = {
  readonly specversion: '1.0';
  /** Transaction_Hash_ID. */
  readonly id: string;
  /** `urn:weft:instance:` and Source_Instance_ID. */
  readonly source: string;
  /** Target_Instance_ID. */
  readonly subject: string;
  /** `weft.nld.` and NLD_Directive_Type. */
  readonly type: string;
  /** Timestamp_UTC. */
  readonly time?: string;
  readonly datacontenttype: 'application/json';
  /** `urn:weft:nld-packet:` and NLD_Schema_Version. */
  readonly dataschema: string;
  /** Extension attributes: CloudEvents names are lower-case letters and digits. */
  readonly correlationid?: string;
  readonly traceparent?: string;
  readonly payloadcommitment: string;
  readonly payloaddigest: string;
  readonly data: NldPacket['Payload'];
};

const sourcePrefix = 'urn:weft:instance:';
const typePrefix = 'weft.nld.';
const dataSchema = `urn:weft:nld-packet:${PACKET_SCHEMA_VERSION}`;

const attributes: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'subject',
  'type',
  'time',
  'datacontenttype',
  'dataschema',
  'correlationid',
  'traceparent',
  'payloadcommitment',
  'payloaddigest',
  'data',
]);

/** @throws the codes of `checkCarrier` */
export function toCloudEvent(packet: NldPacket): PacketEvent {
  const checked = checkCarrier(packet);
  return {
    specversion: '1.0',
    id: checked.Transaction_Hash_ID,
    source: sourcePrefix + checked.Source_Instance_ID,
    subject: checked.Target_Instance_ID,
    type: typePrefix + checked.NLD_Directive_Type,
    ...(checked.Timestamp_UTC === undefined ? {} : { time: checked.Timestamp_UTC }),
    datacontenttype: 'application/json',
    dataschema: dataSchema,
    ...(checked.Correlation_ID === undefined ? {} : { correlationid: checked.Correlation_ID }),
    ...(checked.traceparent === undefined ? {} : { traceparent: checked.traceparent }),
    payloadcommitment: checked.Payload_Commitment,
    payloaddigest: checked.Payload_Digest,
    data: { enc: checked.Payload.enc, ct: checked.Payload.ct },
  };
}

/** @throws PACKET_EVENT_INVALID (no event of this mapping), the codes of `checkCarrier` */
export function fromCloudEvent(event: unknown): NldPacket {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) refuse('it is no object');
  const given = event as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) {
    if (!attributes.has(name)) refuse(`attribute ${name.slice(0, 64)} has no place in a packet`);
  }
  if (given['specversion'] !== '1.0') refuse('specversion is not 1.0');
  if (given['datacontenttype'] !== 'application/json') refuse('datacontenttype is not application/json');
  if (given['dataschema'] !== dataSchema) refuse(`dataschema is not ${dataSchema}`);
  // What is missing or of the wrong kind from here on, the packet's own schema finds.
  return checkCarrier({
    NLD_Schema_Version: PACKET_SCHEMA_VERSION,
    NLD_Directive_Type: behind(given['type'], typePrefix, 'type'),
    Source_Instance_ID: behind(given['source'], sourcePrefix, 'source'),
    Target_Instance_ID: given['subject'],
    ...('correlationid' in given ? { Correlation_ID: given['correlationid'] } : {}),
    ...('time' in given ? { Timestamp_UTC: given['time'] } : {}),
    ...('traceparent' in given ? { traceparent: given['traceparent'] } : {}),
    Payload_Commitment: given['payloadcommitment'],
    Payload: given['data'],
    Payload_Digest: given['payloaddigest'],
    Transaction_Hash_ID: given['id'],
  });
}

function behind(value: unknown, prefix: string, name: string): string {
  if (typeof value !== 'string' || !value.startsWith(prefix)) refuse(`${name} does not begin with ${prefix}`);
  return value.slice(prefix.length);
}

function refuse(why: string): never {
  throw new WeftError('PACKET_EVENT_INVALID', `not a CloudEvent of an NLD packet: ${why}`);
}
