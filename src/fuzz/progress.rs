//! Who is told how far it is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Somebody who wants to know how far a run of fuzzing is.
pub trait Progress: Sync {
    /// So many requests were made, so many things tried, so many causes found; `doing` says what is going on.
    fn tell(&self, requests: u64, tried: u64, found: usize, doing: &str);
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _: u64, _: u64, _: usize, _: &str) {}
}

/// A bar on standard error, with the requests that are left and the time to go. Where that is no terminal, nothing.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar for so many requests; `noun` says what is tried: `filters`.
    pub fn new(requests: u64, noun: &str, colour: bool) -> Bar {
        let bar = ProgressBar::with_draw_target(Some(requests), ProgressDrawTarget::stderr_with_hz(8));
        let wide = if colour { "{bar:24.cyan/dim}" } else { "{bar:24}" };
        let template = format!("{wide} {{pos}}/{{len}} requests, {{eta}} to go  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_prefix(noun.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        Bar { bar }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn tell(&self, requests: u64, tried: u64, found: usize, doing: &str) {
        let found = if found == 0 { String::new() } else { format!(", {found} found") };
        self.bar.set_position(requests);
        self.bar.set_message(format!("{tried} {}{found}: {doing}", self.bar.prefix()));
    }
}
