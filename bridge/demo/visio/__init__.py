"""A stand-in for Visio (La Suite's Meet): what a bridge, a browser and an SFU see of it, and no more.

It keeps the contract of Meet 1.27 as its source has it, odd answers included, on a real LiveKit. The
modules: what Visio knows (`world`), how its admin set it up (`switches`), what it answers (`external`,
`public`, `answers`, `tokens`), how it misbehaves on request (`faults`), what people do in it (`organiser`,
`tickets`, `guest`), and the server around all that (`stand_in`).
"""
