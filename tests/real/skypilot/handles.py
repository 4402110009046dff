"""Writes clusters as SkyPilot itself writes them: its own classes, made by its own program, under its own HOME."""

import base64
import json
import pickle
import sys

import sky
from sky import clouds
from sky.backends.cloud_vm_ray_backend import CloudVmRayResourceHandle


def handle(name, machine, region, spot, nodes):
    """The handle of a cluster, as text."""
    resources = sky.Resources(cloud=clouds.AWS(), instance_type=machine, region=region, use_spot=spot)
    whole = CloudVmRayResourceHandle(
        cluster_name=name,
        cluster_name_on_cloud=f"{name}-1a2b3c4d",
        cluster_yaml=None,
        launched_nodes=nodes,
        launched_resources=resources,
    )
    return base64.b64encode(pickle.dumps(whole)).decode()


print(json.dumps({cluster["name"]: handle(**cluster) for cluster in json.load(sys.stdin)}))
