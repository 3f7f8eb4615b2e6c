export const several = { name: 'several', needs: [], version: () => '', scenarios: [], start: async () => ({ tails: () => [], stop() {} }) };
