import { MemoryClientChannel } from '../../../src/adapters/memory/index.js';
import { clientChannelContract } from '../../../src/contracts/client-channel.js';
import { runContract } from '../../support/contract.js';

runContract(
  'the memory client channel',
  clientChannelContract(async () => {
    const channel = new MemoryClientChannel();
    return { channel, client: channel.client, close: async () => channel.client.leave() };
  }),
);
