"""The stores of the local cloud: engines of our own behind the door, durable where they are given a folder.

What belongs here: what holds the student's rows and objects, and answers for them. What does not: who may ask
(labkit.cloud.door), the rest of the control plane (labkit.cloud.moto_seam).
"""
