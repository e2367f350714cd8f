import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDialogues } from './dialogue.ts';
import { mockPlayer, type Player, postfixPlayer, sendmailPlayer } from './players.ts';

// One and the same dialogue, with the same outcome, whichever MTA is between.

const dialogues = readDialogues();

describe.each([
  { mta: 'the mock MTA', start: mockPlayer },
  { mta: 'Postfix', start: postfixPlayer },
  { mta: 'Sendmail', start: sendmailPlayer },
])('$mta', ({ mta, start }) => {
  let player: Player;
  beforeAll(async () => {
    player = await start();
  });
  afterAll(() => player?.stop());

  test.each(dialogues)('$name', async (dialogue) => {
    const outcome = await player.play(dialogue);
    const { result } = dialogue;
    const reply = mta === 'Sendmail' ? dialogue.sendmailReply : dialogue.reply;
    if (result !== 'delivered') {
      expect(outcome).toMatchObject({ reply, result });
      return;
    }
    expect(outcome).toEqual({
      reply,
      result,
      rcptCodes: dialogue.rcpts.map(({ code }) => code),
      from: dialogue.from,
      to: [...dialogue.to].sort(),
      message: dialogue.delivered.toString('latin1'),
    });
  });
});
