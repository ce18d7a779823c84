/**
 * `weft/client`: talk to a Weft network from a program.
 *
 *     const client = connect({ rpc: ['http://127.0.0.1:7611', 'http://127.0.0.1:7621'] });
 *     const { chain } = await client.status();
 *     const signer = ed25519TransactionSigner(seed);
 *     const transaction = sign(buildTransaction({ chain, account, type, body }), [signer]);
 *     const { index } = await client.submitAndWait(transaction);
 *     const token = await client.fetchToken({ index: index + 1 });   // verify it with weft/token
 */
export type {
  BlockSummary,
  GovernanceProposal,
  GovernanceStatus,
  IntentAnswer,
  NodeStatus,
  OpenAlert,
  RpcMethods,
  StateAnswer,
  TxFinalized,
  TxStatus,
} from '../../schemas/types/rpc.ts';
export { WeftError } from '../codec/error.ts';
export { connect, type SubmitAndWaitOptions, type SubmitOptions, type TokenRequest, WeftClient } from './client.ts';
export type { TlsOptions } from './http.ts';
export {
  approveIntent,
  cancelIntent,
  consumeGrant,
  type IntentOutcome,
  type IntentRequest,
  intentActions,
  intentOutcome,
  newAttempt,
  proposeIntent,
  reportOutcome,
  type TransactionContent,
} from './intents.ts';
export type { MethodName, ParamsOf, ResultOf, RpcOptions } from './rpc.ts';
export type {
  SubscriptionEvent,
  SubscriptionHandle,
  SubscriptionListener,
  SubscriptionRequest,
} from './subscription.ts';
export {
  buildTransaction,
  durationMs,
  ed25519TransactionSigner,
  readSigned,
  type SignedTransaction,
  type Signer,
  sign,
  type TransactionRequest,
  type UnsignedTransaction,
} from './transaction.ts';
