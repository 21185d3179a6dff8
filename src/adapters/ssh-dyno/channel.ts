import type { SignalName } from '../../domain/dyno.js';
import { Fault } from '../../domain/fault.js';
import type { ClientWire } from '../ssh2/internals.js';
import { MESSAGE, string } from '../ssh2/messages.js';
import type { Outflow } from '../ssh2/outflow.js';
import type { Breach } from './breach.js';
import * as messages from './channel-messages.js';
import { Ending } from './ending.js';
import { exitSignal, exitStatus } from './exit-report.js';
import { DynoInput } from './input.js';
import { DynoOutput } from './output.js';
import { Opening, type Peer, type Quote } from './opening.js';
import { PayloadReader } from './payload.js';
import { InputWindow, WINDOW_BYTES } from './window.js';

/** RFC 4254 5.2 */
const STANDARD_ERROR = 1;

/**
 * The connection protocol (RFC 4254) with one session on it, in the client's role.
 *
 * ssh2's own channel is not used: it trusts the dyno with packet sizes and windows, keeps what comes without bound and
 * sends a piece twice after a stall.
 */
export class DynoChannel {
  readonly stdout: DynoOutput;
  readonly stderr: DynoOutput;
  readonly ending = new Ending();
  readonly #wire: ClientWire;
  readonly #breach: (breach: Breach) => void;
  readonly #window: InputWindow;
  readonly #replies: ((isGranted: boolean) => void)[] = [];
  readonly #quote: Quote;
  #opening: { readonly opening: Opening; readonly outflow: Outflow } | undefined;
  #peer: Peer | undefined;
  #stdin: DynoInput | undefined;
  #hasEnded = false;
  #isClosed = false;
  #isDiscarding = false;

  /**
   * @param breach ends the connection of a dyno that does not keep to the protocol.
   * @param quote makes what a dyno says fit for a log.
   */
  constructor(wire: ClientWire, breach: (breach: Breach) => void, quote: Quote) {
    this.#wire = wire;
    this.#breach = breach;
    this.#quote = quote;
    this.#window = new InputWindow((bytes) => {
      this.#send((theirs) => messages.windowAdjust(theirs, bytes));
    });
    const taken = (bytes: number) => {
      this.#window.taken(bytes);
    };
    this.stdout = new DynoOutput(taken);
    this.stderr = new DynoOutput(taken);
  }

  /** @throws Fault (stage `connect`) when the dyno opens no session. Never settles when the connection is lost. */
  async open(outflow: Outflow): Promise<DynoInput> {
    const opening = new Opening(this.#quote);
    this.#opening = { opening, outflow };
    this.#wire.post(messages.openSession(WINDOW_BYTES));
    return this.#inputTo(await opening.peer, outflow);
  }

  /** Made with the confirmation itself: a window that is opened right behind it must find it there. */
  #inputTo(peer: Peer, outflow: Outflow): DynoInput {
    const send = (bytes: Buffer) => {
      this.#send((theirs) => messages.channelData(theirs, bytes));
    };
    const end = () => {
      this.#send(messages.channelEnd);
    };
    this.#stdin ??= new DynoInput({ ...peer, send, end }, outflow);
    return this.#stdin;
  }

  /** Whether the dyno grants a request (RFC 4254 5.4). */
  request(type: string, ...data: readonly Buffer[]): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#replies.push(resolve);
      this.#send((theirs) => messages.channelRequest(theirs, type, true, ...data));
    });
  }

  /** RFC 4254 6.9: there is no reply to it. */
  signal(name: SignalName): void {
    if (!this.ending.isTold) this.#send((theirs) => messages.channelRequest(theirs, 'signal', false, string(name)));
  }

  /** Output that nobody reads no longer keeps the command from ending. */
  discard(): void {
    this.#isDiscarding = true;
    this.#window.openWide();
  }

  /** Closes our side, and wants to hear no more. */
  close(): void {
    this.#send(messages.channelClose);
    this.#isClosed = true;
  }

  /** Nothing more comes. */
  lose(fault: Fault): void {
    this.#isClosed = this.#hasEnded = true;
    this.#endStreams();
    this.#stdin?.destroy();
    for (const reply of this.#replies.splice(0)) reply(false);
    this.ending.lose(fault);
  }

  /** Takes a message of the connection protocol. @throws CutShort. */
  receive(type: number, payload: Buffer): void {
    const fields = new PayloadReader(payload);
    if (type === MESSAGE.GLOBAL_REQUEST) this.#refuseGlobally(fields);
    else if (type === MESSAGE.CHANNEL_OPEN) this.#refuseChannel(fields);
    else if (type !== MESSAGE.REQUEST_SUCCESS && type !== MESSAGE.REQUEST_FAILURE) this.#receiveOwn(type, fields);
  }

  /** What is for our own channel. */
  #receiveOwn(type: number, fields: PayloadReader): void {
    if (fields.uint32() !== messages.OUR_CHANNEL) {
      this.#breach('message-out-of-place');
      return;
    }
    if (type === MESSAGE.CHANNEL_OPEN_CONFIRMATION || type === MESSAGE.CHANNEL_OPEN_FAILURE) {
      this.#answerOpening(type, fields);
      return;
    }
    if (this.#peer === undefined) this.#breach('message-out-of-place');
    else if (!this.#isClosed) this.#receiveOpen(type, fields);
  }

  #answerOpening(type: number, fields: PayloadReader): void {
    const asked = this.#opening;
    this.#opening = undefined;
    const answer = asked?.opening.answer(type, fields) ?? 'message-out-of-place';
    if (asked !== undefined && typeof answer === 'object') {
      this.#peer = answer;
      this.#inputTo(answer, asked.outflow);
    } else if (answer === 'message-out-of-place' || answer === 'tiny-packets') this.#breach(answer);
  }

  #receiveOpen(type: number, fields: PayloadReader): void {
    switch (type) {
      case MESSAGE.CHANNEL_WINDOW_ADJUST:
        this.#stdin?.widen(fields.uint32());
        break;
      case MESSAGE.CHANNEL_DATA:
        this.#take(fields.string(), this.stdout);
        break;
      case MESSAGE.CHANNEL_EXTENDED_DATA: {
        // Of any other type it is nothing we know: counted, and dropped.
        const output = fields.uint32() === STANDARD_ERROR ? this.stderr : undefined;
        this.#take(fields.string(), output);
        break;
      }
      case MESSAGE.CHANNEL_EOF:
        this.#over();
        break;
      case MESSAGE.CHANNEL_CLOSE:
        this.#over();
        this.close();
        this.lose(
          new Fault('GM_DYNO_LOST', 'run', 'the dyno closed the session without telling how the command ended'),
        );
        break;
      case MESSAGE.CHANNEL_REQUEST:
        this.#hear(fields);
        break;
      default:
        this.#reply(type === MESSAGE.CHANNEL_SUCCESS);
    }
  }

  #take(bytes: Buffer, output: DynoOutput | undefined): void {
    if (this.#hasEnded) this.#breach('message-out-of-place');
    else if (!this.#window.use(bytes.length)) this.#breach('window-exceeded');
    else if (output === undefined || this.#isFull) this.#window.taken(bytes.length);
    else output.accept(bytes);
  }

  /** Nobody waits for more than what is here already. */
  get #isFull(): boolean {
    return this.#isDiscarding && this.stdout.waitingBytes + this.stderr.waitingBytes >= WINDOW_BYTES;
  }

  #hear(fields: PayloadReader): void {
    const [type, wantsReply] = [fields.text(), fields.boolean()];
    if (type === 'exit-status') this.ending.report(exitStatus(fields));
    else if (type === 'exit-signal') this.ending.report(exitSignal(fields, this.#quote));
    if (wantsReply) this.#send(messages.channelFailure);
  }

  #reply(isGranted: boolean): void {
    const waiting = this.#replies.shift();
    if (waiting === undefined) this.#breach('message-out-of-place');
    else waiting(isGranted);
  }

  /** All output has come. */
  #over(): void {
    this.#hasEnded = true;
    this.#endStreams();
    this.ending.outputIsOver();
  }

  #endStreams(): void {
    this.stdout.finish();
    this.stderr.finish();
  }

  #refuseGlobally(fields: PayloadReader): void {
    fields.string();
    if (fields.boolean()) this.#wire.post(messages.requestFailure());
  }

  #refuseChannel(fields: PayloadReader): void {
    fields.string();
    this.#wire.post(messages.refuseChannel(fields.uint32()));
  }

  #send(make: (theirs: number) => Buffer): void {
    if (this.#peer !== undefined && !this.#isClosed) this.#wire.post(make(this.#peer.channel));
  }
}
