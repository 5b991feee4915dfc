_base_ = './solo_r18_fpn_shapes-cpu.py'

model = dict(mask_head=dict(type='DecoupledSOLOHead', loss_mask=dict(activate=False)))
