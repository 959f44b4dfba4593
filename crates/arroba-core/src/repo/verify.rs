//! Verification of frames, record proofs and whole repositories.
