/** A wire that exchanges keys (RFC 4253 7): as far as it is told to, and in the pieces that a test wants. */
import { until } from '../../../src/contracts/contract.js';
import { MESSAGE, message } from '../ssh-bytes.js';
import { agreementFor, isStrict, kexInit, type Agreement, type Offer } from './key-exchange.js';
import { openerOf, sealerOf, type Opener } from './packets.js';
import { HostileWire } from './wire.js';

const IDENTIFICATION = 'SSH-2.0-hostile';

export class KeyedWire extends HostileWire {
  /** Key exchanges that were completed. */
  exchanges = 0;
  /** Whether the server's KEXINIT is left without an answer. */
  isDeafToKeyExchange = true;
  #identification = IDENTIFICATION;
  #sessionId: Buffer | undefined;
  #isStrict = false;
  /** Of the exchange that is under way. */
  #mine: Buffer | undefined;
  #theirs: Buffer | undefined;
  #opener: Opener | undefined;
  #agreement: Agreement = agreementFor();

  get sessionId(): Buffer {
    if (this.#sessionId === undefined) throw new Error('no keys were exchanged yet');
    return this.#sessionId;
  }

  /** RFC 4253 4.2 */
  identify(line = IDENTIFICATION): void {
    this.knownAs(line);
    this.raw(`${line}\r\n`);
  }

  /** For a test that sends its line in its own way: both sides hash it. */
  knownAs(line: string): void {
    this.#identification = line;
  }

  /** Exchanges keys, for the first time or again; resolves when both sides use the new ones. */
  async exchangeKeys(offer: Partial<Offer> = {}): Promise<void> {
    this.beginKeyExchange(offer);
    await this.goOnExchangingKeys();
  }

  /** Sends a KEXINIT. What follows upon the server's is left to `isDeafToKeyExchange`. */
  beginKeyExchange(offer: Partial<Offer> = {}): void {
    this.raw(this.sealedKexInit(offer));
  }

  /** As `beginKeyExchange`, for a test that sends it in its own way. */
  sealedKexInit(offer: Partial<Offer> = {}): Buffer {
    this.#mine = kexInit(offer);
    this.#agreement = agreementFor(offer);
    return this.sealed(this.#mine);
  }

  /** To the end of the exchange that was begun. */
  async goOnExchangingKeys(): Promise<void> {
    const due = this.exchanges + 1;
    this.isDeafToKeyExchange = false;
    if (this.#theirs !== undefined) this.send(this.#agreement.initMessage());
    await until(() => this.exchanges >= due || this.isClosed, 'keys are exchanged');
    if (this.exchanges < due) throw new Error('closed during the key exchange');
  }

  protected override take(payload: Buffer): void {
    switch (payload[0]) {
      case MESSAGE.KEXINIT:
        this.#answer(payload);
        break;
      case MESSAGE.KEX_ECDH_REPLY:
        this.#takeKeys(payload);
        break;
      case MESSAGE.NEWKEYS:
        this.#finish();
        break;
      default:
    }
    super.take(payload);
  }

  #answer(theirs: Buffer): void {
    this.#theirs = theirs;
    if (this.isDeafToKeyExchange) return;
    if (this.#mine === undefined) this.beginKeyExchange();
    this.send(this.#agreement.initMessage());
  }

  /** Ours go out by the new keys at once, the server's come by them after its NEWKEYS, which follows its reply. */
  #takeKeys(reply: Buffer): void {
    const [mine, theirs] = [this.#mine, this.#theirs];
    if (mine === undefined || theirs === undefined) throw new Error('a reply to no key exchange of this client');
    const identifications = [this.#identification, this.serverIdentification ?? ''] as const;
    const keys = this.#agreement.finish(reply, { identifications, inits: [mine, theirs] }, this.#sessionId);
    if (this.#sessionId === undefined) this.#isStrict = isStrict(mine, theirs);
    this.#sessionId ??= keys.hash;
    this.send(message(MESSAGE.NEWKEYS));
    this.sealBy(sealerOf(keys.toServer), this.#isStrict);
    this.#opener = openerOf(keys.toClient);
  }

  #finish(): void {
    if (this.#opener !== undefined) this.openBy(this.#opener, this.#isStrict);
    this.#mine = this.#theirs = this.#opener = undefined;
    this.exchanges += 1;
  }
}
