//! What `windlass explain` says of the agent's own failures.

windlass_domain::topics! {
    [pub(crate), pub static TOPICS]
    /// The root cannot be used.
    ROOT = "agent.root": "The agent's root cannot be made, read or written.",
        "Check the path, its owner and the space on the disk.";
    /// Another agent has the root.
    TAKEN = "agent.taken": "Another agent already runs for this root; two never share one.",
        "Use the one that runs, end it first, or choose another --root.";
    /// The socket's path is too long.
    SOCKET = "agent.socket": "The control socket cannot be made: its path is longer than the 107 bytes that the system allows, or its folder cannot be written.",
        "Choose a shorter `root:`, or a symbolic link to it.";
    /// Handing over failed.
    HANDOVER = "agent.handover": "The agent that runs did not hand over to another program. It goes on, and nothing was changed.",
        "Look at the cause in the message and at agent.out in the root; where a step is under way, try again when it is done.";
    /// The ledger is damaged.
    LEDGER = "agent.ledger": "A line of the ledger is not what was written. Serving goes on; nothing can be changed until a human has looked.",
        "Compare ledger.jsonl with a backup, put the true line back, and restart the agent.";
    /// The address is taken.
    ADDRESS = "agent.address": "The router's or the metrics' address cannot be listened on.",
        "Free the address or choose another `listen:`; port 0 picks a free one.";
}
