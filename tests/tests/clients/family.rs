//! What pnpm, yarn, bun and deno do for those who use them: one set of stories, each told by every
//! client that can, in the words of its dialect.

mod access;
mod accounts;
mod audit;
mod changes;
mod dialects;
mod install;
mod publish;
mod search;
mod signatures;

use packhouse_testkit::clients::{NPM_11, NpmProject};
use packhouse_testkit::process::Output;
use serde_json::Value;

use crate::stage::Stage;
use dialects::Dialect;

/// Makes each story a test of each client: `told_by! { [BUN, DENO] a_story, another }`.
macro_rules! told_by {
    ($clients:tt $($story:ident),+ $(,)?) => {
        $( $crate::family::told_by! { @one $clients $story } )+
    };
    (@one [$($dialect:ident),+ $(,)?] $story:ident) => {
        mod $story {
            $(
                #[test]
                #[expect(non_snake_case, reason = "the client's name in the dialects' table")]
                fn $dialect() {
                    super::$story(&super::super::dialects::$dialect);
                }
            )+
        }
    };
}
pub(crate) use told_by;

impl Stage {
    /// Publishes with the stage's client, or with npm 11 where that cannot, and leaves the
    /// project for more.
    fn publish_by(&self, dialect: &Dialect, manifest: &Value) -> NpmProject {
        let project = if dialect.publish.is_some() {
            self.project(manifest, Some(&self.token))
        } else {
            let npm = packhouse_testkit::clients::Client::prepared(&NPM_11).unwrap();
            let project = NpmProject::new(&npm, manifest);
            self.configure(&project, Some(&self.token));
            project
        };
        self.publish_more(dialect, &project);
        project
    }

    /// Publishes what lies in a project.
    fn publish_more(&self, dialect: &Dialect, project: &NpmProject) {
        let published = self.publish_again(dialect, project);
        assert!(published.success(), "not published: {published}");
    }

    /// The same, whatever comes of it.
    fn publish_again(&self, dialect: &Dialect, project: &NpmProject) -> Output {
        if let Some(before) = dialect.before_publish {
            run(project, before, &[]);
        }
        say(project, dialect.publish.unwrap_or("publish"), &[])
    }

    /// Fails unless the client ended badly and `words` are among what it printed. Clients break
    /// long lines where they like: white space and what frames are drawn with do not count.
    #[track_caller]
    fn assert_refused(&self, output: &Output, words: &str) {
        assert!(!output.success(), "not refused: {output}");
        self.assert_said(output, words);
    }

    /// Fails unless `words` are among what the client printed.
    #[track_caller]
    fn assert_said(&self, output: &Output, words: &str) {
        let said = format!("{}\n{}", output.stdout, output.stderr);
        let said = squeezed(&said).replace(&squeezed(&self.registry()), "REGISTRY/");
        assert!(said.contains(&squeezed(words)), "no {words:?} in: {output}");
    }
}

fn squeezed(text: &str) -> String {
    let is_drawn = |letter: char| letter.is_whitespace() || "│├╰─▶".contains(letter);
    text.chars().filter(|letter| !is_drawn(*letter)).collect()
}

/// Says a phrase of a dialect in a project, with what its capitals stand for.
fn say(project: &NpmProject, phrase: &str, meaning: &[(&str, &str)]) -> Output {
    let words: Vec<String> = phrase
        .split_whitespace()
        .map(|word| {
            meaning
                .iter()
                .fold(word.to_owned(), |word, (from, to)| word.replace(from, to))
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    project.run(&words)
}

/// Says it to a good end.
#[track_caller]
fn run(project: &NpmProject, phrase: &str, meaning: &[(&str, &str)]) -> Output {
    say(project, phrase, meaning).expect_success()
}

/// A file of a project as JSON.
fn json_in(project: &NpmProject, file: &str) -> Value {
    serde_json::from_str(&project.read(file)).unwrap()
}
