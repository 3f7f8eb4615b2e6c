//! Everybody who asks the program for something, until it is gone.

use std::sync::Arc;

use gatelodge::domain::GrantId;
use gatelodge::tokens::RefreshTokens;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::harness::browser::Browser;
use crate::harness::program::HOST;

/// What somebody was told.
pub(super) enum Answer {
    /// 200, with a refresh token of this generation.
    Rotated(GrantId, u64),
    /// 200: the grant is over.
    Ended(GrantId),
    /// 503, and when to come again.
    Refused,
}

/// The people at work.
pub(super) struct Writers {
    answers: UnboundedReceiver<Answer>,
    tasks: Vec<JoinHandle<()>>,
}

/// One person's way to the program.
struct Caller {
    http: reqwest::Client,
    address: String,
    tokens: Arc<RefreshTokens>,
    told: UnboundedSender<Answer>,
}

impl Writers {
    /// Everybody refreshes from the generation given; somebody ends one grant after the other.
    pub(super) fn start(
        address: &str,
        tokens: &Arc<RefreshTokens>,
        people: impl Iterator<Item = (GrantId, u64)>,
        to_end: Vec<GrantId>,
    ) -> Self {
        let (told, answers) = unbounded_channel();
        let browser = Browser::new();
        let caller = || Caller {
            http: browser.http().clone(),
            address: address.to_owned(),
            tokens: Arc::clone(tokens),
            told: told.clone(),
        };
        let mut tasks: Vec<_> =
            people.map(|(id, generation)| tokio::spawn(refresh(caller(), id, generation))).collect();
        tasks.push(tokio::spawn(end(caller(), to_end)));
        Self { answers, tasks }
    }

    /// The next answer that anybody got.
    pub(super) async fn next(&mut self) -> Answer {
        self.answers.recv().await.expect("the program answers on")
    }

    /// What was still answered before the program was gone.
    pub(super) async fn rest(mut self) -> Vec<Answer> {
        for task in self.tasks {
            task.await.expect("nobody was told anything else");
        }
        let mut rest = Vec::new();
        while let Some(answer) = self.answers.recv().await {
            rest.push(answer);
        }
        rest
    }
}

impl Caller {
    /// None: the program is gone, and nobody knows what it did. Else the body of 200, if it was.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Option<Option<Vec<u8>>> {
        let request = self.http.post(format!("http://{}{path}", self.address)).header("host", HOST);
        let answer = request.form(form).send().await.ok()?;
        let (status, retry) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        let body = answer.bytes().await.ok()?.to_vec();
        if status == 200 {
            return Some(Some(body));
        }
        assert_eq!((status, retry), (503, true), "{path}: {}", String::from_utf8_lossy(&body));
        Some(None)
    }

    fn tell(&self, answer: Answer) {
        drop(self.told.send(answer));
    }
}

async fn refresh(caller: Caller, id: GrantId, mut generation: u64) {
    loop {
        let token = caller.tokens.issue(&id, generation);
        let form = [("grant_type", "refresh_token"), ("client_id", "c"), ("refresh_token", token.expose())];
        let Some(answer) = caller.post("/oauth/token", &form).await else { return };
        let Some(body) = answer else {
            caller.tell(Answer::Refused);
            continue;
        };
        let Ok(answer) = serde_json::from_slice::<Value>(&body) else { return };
        let successor = answer["refresh_token"].as_str().expect("a refresh token");
        let successor = caller.tokens.read(successor).expect("one of ours");
        assert_eq!((*successor.grant(), successor.generation()), (id, generation + 1), "no fork");
        generation += 1;
        caller.tell(Answer::Rotated(id, generation));
    }
}

async fn end(caller: Caller, mut to_end: Vec<GrantId>) {
    while let Some(id) = to_end.last() {
        let token = caller.tokens.issue(id, 1);
        let form = [("client_id", "c"), ("token", token.expose())];
        match caller.post("/oauth/revoke", &form).await {
            None => return,
            Some(None) => caller.tell(Answer::Refused),
            Some(Some(_)) => {
                caller.tell(Answer::Ended(*id));
                to_end.pop();
            }
        }
    }
}
