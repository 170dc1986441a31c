//! Recordings: the settings and every observation of a watch, as JSON lines, from which the same verdict follows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::judge::{Judgement, Settings, State, Tick};
use crate::probe::Answer;
use crate::source::reading::Reading;

/// The recording format's version, in its first line.
const VERSION: u32 = 1;

/// A recorded watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What was judged by.
    pub settings: Settings,
    /// What was seen, in order.
    pub observations: Vec<Observation>,
    /// How it ended.
    pub ending: Ending,
}

/// What was seen at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When, in milliseconds from the watch's start.
    pub at_ms: u64,
    /// What was read of the counters.
    pub scrape: Scrape,
    /// The tries of probes that ended since the last observation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
}

/// What became of a reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scrape {
    /// None was due.
    None,
    /// It was read.
    Read(Box<Reading>),
    /// It could not be read: why.
    Failed(String),
}

/// One try of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Which probe of the settings, from 0.
    pub probe: usize,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What it answered.
    pub answer: Answer,
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// With a verdict, inconclusive at the deadline included.
    Judged,
    /// It was told to stop.
    Cancelled,
    /// It did not begin: the network was forbidden.
    Offline,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    Windlass { recording: u32, settings: Box<Settings> },
    Seen(Box<Observation>),
    Ended { ending: Ending, observations: usize },
}

/// A recording that cannot be replayed.
#[derive(Debug)]
pub struct RecordingError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a recording at line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for RecordingError {}

impl Recording {
    /// As JSON lines: the settings, one line an observation, and the end.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let first = Line::Windlass { recording: VERSION, settings: Box::new(self.settings.clone()) };
        let last = Line::Ended { ending: self.ending, observations: self.observations.len() };
        let middle = self.observations.iter().map(|observation| Line::Seen(Box::new(observation.clone())));
        std::iter::once(first).chain(middle).chain([last]).fold(String::new(), |mut text, line| {
            text.push_str(&serde_json::to_string(&line).expect("a recording has only string keys"));
            text.push('\n');
            text
        })
    }

    /// Reads JSON lines.
    ///
    /// # Errors
    /// Anything that is not a whole recording: a cut-off one is not a shorter one.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut settings = None;
        let mut observations: Vec<Observation> = Vec::new();
        let mut ending = None;
        for (index, line) in text.lines().enumerate() {
            let error = |what: String| RecordingError { line: index + 1, what };
            if ending.is_some() {
                return Err(error("it goes on after its end".to_owned()));
            }
            match serde_json::from_str(line).map_err(|cause| error(cause.to_string()))? {
                Line::Windlass { recording: VERSION, settings: found }
                    if settings.is_none() && index == 0 =>
                {
                    settings = Some(*found);
                }
                Line::Windlass { recording, .. } => {
                    return Err(error(format!("version {recording}, or settings out of place")));
                }
                Line::Seen(observation) => {
                    if observations.last().is_some_and(|last| last.at_ms > observation.at_ms) {
                        return Err(error("time runs backwards".to_owned()));
                    }
                    observations.push(*observation);
                }
                Line::Ended { ending: found, observations: count } if count == observations.len() => {
                    ending = Some(found);
                }
                Line::Ended { observations: count, .. } => {
                    return Err(error(format!("{} observations of {count}", observations.len())));
                }
            }
        }
        let line = text.lines().count() + 1;
        match (settings, ending) {
            (Some(settings), Some(ending)) => Ok(Self { settings, observations, ending }),
            (None, _) => Err(RecordingError { line: 1, what: "it has no settings".to_owned() }),
            (Some(_), None) => {
                Err(RecordingError { line, what: "it is cut off: its last line is missing".to_owned() })
            }
        }
    }
}

/// Judges a recording again: the same verdict, bit by bit.
#[must_use]
pub fn replay(recording: Recording) -> Judgement {
    replay_with(recording, |_| {})
}

/// Judges a recording again, and shows how it stood after every observation.
#[must_use]
pub fn replay_with(recording: Recording, mut on_tick: impl FnMut(&Tick)) -> Judgement {
    let mut state = State::new(&recording.settings);
    for observation in &recording.observations {
        let verdict = state.observe(observation);
        on_tick(&state.tick());
        if verdict.is_some() {
            break;
        }
    }
    let ending = recording.ending;
    state.judgement(ending, recording)
}
