// Tools that ask the client something: in requests of their own (2025-11-25), or as their answer (2026-07-28).
import {
  CLIENT_CAPABILITIES_META_KEY,
  ProtocolError,
  ProtocolErrorCode,
  acceptedContent,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
} from '@modelcontextprotocol/server';
import { text, tool } from './content.mjs';

/** What goes to the client and comes back is sealed. */
export const state = createRequestStateCodec({ key: crypto.getRandomValues(new Uint8Array(32)) });

const form = properties => ({ type: 'object', properties, required: Object.keys(properties) });
const said = words => ({ content: [text(words)] });

// 2025-11-25

/** Every kind of field with a value to begin with (SEP-1034). */
const defaults = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
};

/** Every kind of choice (SEP-1330). */
const titled = ['1', '2', '3'].map(n => ({ const: `value${n}`, title: `Choice ${n}` }));
const plain = ['option1', 'option2', 'option3'];
const choices = {
  untitledSingle: { type: 'string', enum: plain },
  titledSingle: { type: 'string', oneOf: titled },
  legacyEnum: { type: 'string', enum: ['opt1', 'opt2'], enumNames: ['Option One', 'Option Two'] },
  untitledMulti: { type: 'array', items: { type: 'string', enum: plain } },
  titledMulti: { type: 'array', items: { anyOf: titled } },
};

function addRequests(server) {
  const elicit = (mcpReq, message, requestedSchema) =>
    mcpReq.send({ method: 'elicitation/create', params: { message, requestedSchema } });
  const outcome = ({ action, content = {} }) => said(`action=${action}, content=${JSON.stringify(content)}`);

  tool(
    server,
    'test_sampling',
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: 'user', content: text(prompt) }];
      const { content } = await mcpReq.send({ method: 'sampling/createMessage', params: { messages, maxTokens: 100 } });
      return said(`LLM response: ${content.text}`);
    },
    fromJsonSchema(form({ prompt: { type: 'string' } })),
  );
  tool(
    server,
    'test_elicitation',
    async ({ message }, { mcpReq }) => outcome(await elicit(mcpReq, message, form({ response: { type: 'string' } }))),
    fromJsonSchema(form({ message: { type: 'string' } })),
  );
  tool(server, 'test_elicitation_sep1034_defaults', async (_, { mcpReq }) =>
    outcome(await elicit(mcpReq, 'Defaults', { ...form(defaults), required: [] })),
  );
  tool(server, 'test_elicitation_sep1330_enums', async (_, { mcpReq }) =>
    outcome(await elicit(mcpReq, 'Choices', { ...form(choices), required: [] })),
  );
}

// 2026-07-28

const field = (name, type = 'string') =>
  inputRequired.elicit({ message: `What is the ${name}?`, requestedSchema: form({ [name]: { type } }) });
const completion = words => inputRequired.createMessage({ messages: [{ role: 'user', content: text(words) }], maxTokens: 50 });

/** What the client accepted for this question, if it answered it. */
export const accepted = ({ mcpReq }, question, name) => acceptedContent(mcpReq.inputResponses, question)?.[name];

function addQuestions(server) {
  const ask = (name, answer) => tool(server, `test_input_required_result_${name}`, (_, context) => answer(context));
  const asked = (context, name) => context.mcpReq.inputResponses?.[name];

  tool(server, 'test_missing_capability', async (_, context) =>
    asked(context, 'answer')
      ? said('complete')
      : inputRequired({ inputRequests: { answer: completion('Reply with the single word: pong') } }),
  );
  ask('elicitation', async context => {
    const name = accepted(context, 'user_name', 'name');
    return typeof name === 'string'
      ? said(`Hello, ${name}!`)
      : inputRequired({ inputRequests: { user_name: field('name') } });
  });
  ask('sampling', async context => {
    const answer = asked(context, 'capital_question');
    return answer
      ? said(`Sampling response: ${answer.content.text}`)
      : inputRequired({ inputRequests: { capital_question: completion('What is the capital of France?') } });
  });
  ask('list_roots', async context => {
    const answer = asked(context, 'client_roots');
    return Array.isArray(answer?.roots)
      ? said(answer.roots.map(root => root.uri).join(', '))
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  ask('request_state', async context => {
    if (accepted(context, 'confirm', 'ok') === undefined) {
      const inputRequests = { confirm: field('ok', 'boolean') };
      return inputRequired({ inputRequests, requestState: await state.mint({ tool: 'request_state' }) });
    }
    if (!context.mcpReq.requestState()) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'no requestState');
    }
    return said('state-ok');
  });
  ask('multiple_inputs', async context => {
    const name = accepted(context, 'user_name', 'name');
    const greeting = asked(context, 'greeting')?.content?.text;
    const roots = asked(context, 'client_roots')?.roots;
    if (name && greeting && roots) {
      return said(`${greeting} ${name}, ${roots.length}`);
    }
    const inputRequests = {
      user_name: field('name'),
      greeting: completion('Generate a greeting'),
      client_roots: inputRequired.listRoots(),
    };
    return inputRequired({ inputRequests, requestState: await state.mint({ tool: 'multiple_inputs' }) });
  });
  ask('multi_round', async context => {
    const { round = 0, name } = context.mcpReq.requestState() ?? {};
    const next = async (inputRequests, known) =>
      inputRequired({ inputRequests, requestState: await state.mint({ round: round + 1, ...known }) });
    switch (round) {
      case 0:
        return next({ step1: field('name') });
      case 1:
        return next({ step2: field('color') }, { name: accepted(context, 'step1', 'name') });
      default:
        return said(`${name} likes ${accepted(context, 'step2', 'color')}`);
    }
  });
  ask('tampered_state', async context =>
    context.mcpReq.requestState() && accepted(context, 'confirm', 'ok') !== undefined
      ? said('integrity-ok')
      : inputRequired({
          inputRequests: { confirm: field('ok', 'boolean') },
          requestState: await state.mint({ tool: 'tampered_state' }),
        }),
  );
  // Only what the client says that it can do.
  ask('capabilities', async context => {
    const can = context.mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
    const inputRequests = {
      ...(can.elicitation && { user_name: field('name') }),
      ...(can.sampling && { greeting: completion('Generate a short greeting') }),
      ...(can.roots && { client_roots: inputRequired.listRoots() }),
    };
    return context.mcpReq.inputResponses || Object.keys(inputRequests).length === 0
      ? said('done')
      : inputRequired({ inputRequests });
  });
  server.registerPrompt('test_input_required_result_prompt', { description: 'asks first' }, async context => {
    const words = accepted(context, 'user_context', 'context');
    return words
      ? { messages: [{ role: 'user', content: text(words) }] }
      : inputRequired({ inputRequests: { user_context: field('context') } });
  });
}

export function addDialogues(server) {
  addRequests(server);
  addQuestions(server);
}
