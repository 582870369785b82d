# What the values of model.py are when they are compiled: fields at fixed places, set once by the constructor.

cdef class RemoteMedia:
    cdef readonly str address
    cdef readonly object port
    cdef readonly object receives
    cdef readonly object sends
    cdef readonly str rtcp_address
    cdef readonly object rtcp_port
    cdef readonly bint rtcp_mux
    cdef readonly bint rtcp
    cdef readonly tuple latch_networks
    cdef readonly str direction
    cdef readonly bint may_pause
    cdef readonly object ptime_ms
    cdef readonly object maxptime_ms
    cdef readonly object params
    cdef readonly str dtmf
    cdef readonly str cname
    cdef readonly object srtp

cdef class MediaEvent:
    cdef readonly object leg
    cdef readonly str kind
    cdef readonly object data
    cdef readonly object room

cdef class LegStats:
    cdef readonly object packets_in
    cdef readonly object packets_out
    cdef readonly object octets_in
    cdef readonly object octets_out
    cdef readonly object lost
    cdef readonly object late
    cdef readonly object duplicate
    cdef readonly object dropped_source
    cdef readonly object dropped_payload
    cdef readonly object dropped_direction
    cdef readonly object dropped_old
    cdef readonly object malformed
    cdef readonly object stun
    cdef readonly object dtls
    cdef readonly object send_errors
    cdef readonly object rtcp_in
    cdef readonly object rtcp_out
    cdef readonly object rtcp_malformed
    cdef readonly object keepalives
    cdef readonly object dropped_forged
    cdef readonly object dropped_replayed
    cdef readonly object source_switches
    cdef readonly object jitter_ms
    cdef readonly object ssrc
    cdef readonly object remote_ssrc
    cdef readonly tuple remote
    cdef readonly bint locked
    cdef readonly object rtt_ms
    cdef readonly object remote_lost
    cdef readonly object remote_fraction_lost
    cdef readonly object remote_jitter_ms
    cdef readonly object loss
    cdef readonly object interval_loss
    cdef readonly object bursts
    cdef readonly object burst_lost
    cdef readonly object burst_packets
    cdef readonly object r
    cdef readonly object mos
    cdef readonly object remote_r
    cdef readonly object remote_mos
