//! Where the view of the printer comes from. Knows connections and wire formats; never a bridge.
