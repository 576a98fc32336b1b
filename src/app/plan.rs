//! `scimspec list --plan`: how many requests a run will need, and how long they take, before the first is made.

use super::run::{estimate, library};
use super::session::{Place, learn, paced};
use super::{AppError, print, runtime};
use crate::config::Config;
use crate::outcome::Exit;
use crate::plan::{Conditions, plan};
use crate::profile::Profile;
use crate::requirement::Catalogue;
use crate::suite::fresh::{Generator, run_mark};
use crate::target::probe::probe;

/// Asks the service provider what it claims, and follows the cases that would run.
///
/// # Errors
/// What keeps a run from being planned.
pub fn show(config: &Config) -> Result<Exit, AppError> {
    let library = library(config)?;
    let profile = Profile::chosen(&library, &config.profile)?;
    let settings = profile.confirm(&library, &config.settings)?;
    let config = &paced(config, profile);
    let runtime = runtime()?;
    let place = Place::of(config, profile, &runtime)?;
    let generator = Generator::new(run_mark(), config.seed, config.patterns.clone());
    // Nothing is created, so there is no ledger to keep.
    let target = place.target(config, profile, generator.mark())?;
    runtime.block_on(target.authenticate())?;
    let mut probe = runtime.block_on(probe(&target))?;
    learn(&mut probe, config, profile);
    let claims = |requires: &_| probe.capabilities.check(requires);
    let conditions = Conditions {
        claims: &claims,
        allow: &config.allow,
        read_only: config.read_only,
        schemas: Some(&probe.schemas),
    };
    let mut plan = plan(library.suites(), Catalogue::embedded(), profile, &config.selection, &conditions);
    plan.leave_out(|job| settings.lacked_by(job.file, job.case));
    if plan.jobs.is_empty() {
        return Err(AppError::NothingSelected);
    }
    let estimate = estimate(config, &library, &plan, &probe);
    let cases = plan.parts().count();
    let running: usize = plan.running().map(|job| job.parts.len()).sum();
    let whom = match &config.url {
        Some(url) => url.to_string(),
        None => {
            "the reference server inside scimspec, which has all there is; give a URL for yours".to_owned()
        }
    };
    let head = format!("profile {}: {running} of {cases} cases would run\n{whom}\n\n", profile.name);
    print(&format!("{head}{}", estimate.text(config.rate)))?;
    place.close(&runtime);
    Ok(Exit::Conformant)
}
