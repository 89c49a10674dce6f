//! How much there is of rooms.

/// How many rooms there are, users in them, and of these those who may be joined on one side only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomCount {
    /// Groups with XMPP users in them.
    pub rooms: usize,
    /// XMPP users in groups, each counted once for each group.
    pub occupants: usize,
    /// SSP users in rooms of XMPP, each counted once for each room.
    pub visitors: usize,
    /// Those of whom this side and the group may think differently.
    pub unsettled: usize,
}
