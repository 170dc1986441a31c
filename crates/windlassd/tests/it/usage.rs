//! What instances use, as the agent says it.

use windlass_target::host::control::Usage;

use super::http::get;
use super::support::{Agent, await_that};

const MIB: u64 = 1 << 20;

#[test]
fn memory_processor_time_and_files_of_an_instance_are_told() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let usage = || agent.state().revisions[0].instances[0].usage;
    await_that("it is measured", || usage().is_some());
    let before = usage().unwrap();
    assert_eq!(get(address, "/hold?n=40").text(), "held");
    assert_eq!(get(address, "/spin?n=300").text(), "spun");
    let rose = |now: Usage| {
        now.memory_bytes >= before.memory_bytes + 39 * MIB
            && now.open_files >= before.open_files + 40
            && now.cpu_ms >= before.cpu_ms + 200
    };
    await_that("what it took is seen", || usage().is_some_and(rose));
    assert_eq!(get(address, "/exit").status, 502);
    await_that("another process is measured by itself", || {
        usage().is_some_and(|now| now.memory_bytes < before.memory_bytes + 20 * MIB)
    });
}
